from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F


def sent_when_notified(apps: Any, _schema_editor: Any) -> None:
    """Give each outage that was notified the time of that message as its last one."""
    apps.get_model("operations", "Outage").objects.update(sent_at=F("notified_at"))


class Migration(migrations.Migration):
    """Alerts that are acknowledged, escalated, repeated and kept when they are over; silences."""

    dependencies = [
        ("operations", "0016_applied_plans"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProcessBeat",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=32, unique=True)),
                ("beats", models.PositiveBigIntegerField(default=0)),
                ("beat_at", models.DateTimeField()),
            ],
            options={
                "db_table": "efcp_process_beat",
            },
        ),
        migrations.CreateModel(
            name="Silence",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("setid", models.IntegerField(null=True)),
                ("uri_key", models.CharField(blank=True, default="", max_length=255)),
                ("reason", models.CharField(max_length=200)),
                ("actor", models.CharField(max_length=150)),
                ("begins_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("ended_by", models.CharField(blank=True, default="", max_length=150)),
            ],
            options={
                "db_table": "efcp_silence",
                "ordering": ("-ends_at",),
            },
        ),
        migrations.AddField(
            model_name="notice",
            name="receiver",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="operations.notificationrule",
            ),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="escalate_min",
            field=models.PositiveIntegerField(default=15),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="escalate_to",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="operations.notificationrule",
            ),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="flap_changes",
            field=models.PositiveIntegerField(default=6),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="flap_s",
            field=models.PositiveIntegerField(default=300),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="group_s",
            field=models.PositiveIntegerField(default=10),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="min_share",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="quiet_days",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="quiet_from",
            field=models.TimeField(null=True),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="quiet_severity",
            field=models.CharField(
                choices=[
                    ("info", "Information only"),
                    ("warning", "Information and warnings"),
                    ("critical", "Everything"),
                ],
                default="warning",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="quiet_to",
            field=models.TimeField(null=True),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="quiet_zone",
            field=models.CharField(blank=True, default="UTC", max_length=64),
        ),
        migrations.AddField(
            model_name="notificationrule",
            name="repeat_min",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="outage",
            name="acknowledged_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="outage",
            name="acknowledged_by",
            field=models.CharField(blank=True, default="", max_length=150),
        ),
        migrations.AddField(
            model_name="outage",
            name="changes",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="outage",
            name="closed_as",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="outage",
            name="detail",
            field=models.CharField(blank=True, default="", max_length=255),
        ),
        migrations.AddField(
            model_name="outage",
            name="ended_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="outage",
            name="escalated_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="outage",
            name="flapping_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="outage",
            name="notice",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="outages",
                to="operations.notice",
            ),
        ),
        migrations.AddField(
            model_name="outage",
            name="owes_back",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="outage",
            name="sent_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="outage",
            name="up_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(max_length=12),
        ),
        migrations.AlterField(
            model_name="notice",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("sending", "Sending"),
                    ("sent", "Sent"),
                    ("given up", "Failed"),
                    ("unknown", "Unknown (not sent again)"),
                    ("merged", "Part of a summary"),
                ],
                default="waiting",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="notificationrule",
            name="channel",
            field=models.CharField(
                choices=[
                    ("email", "E-mail"),
                    ("webhook", "Webhook"),
                    ("apprise", "Chat, pager or SMS (Apprise)"),
                ],
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="outage",
            name="proxy",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="proxies.proxy"
            ),
        ),
        migrations.AddIndex(
            model_name="outage",
            index=models.Index(fields=["rule", "closed_as", "ended_at"], name="efcp_outage_closed"),
        ),
        migrations.AddIndex(
            model_name="outage",
            index=models.Index(fields=["rule", "owes_back"], name="efcp_outage_owing"),
        ),
        migrations.AddIndex(
            model_name="outage",
            index=models.Index(fields=["ended_at"], name="efcp_outage_ended"),
        ),
        migrations.AddConstraint(
            model_name="outage",
            constraint=models.UniqueConstraint(
                fields=("rule", "proxy", "partition", "setid", "uri_key", "closed_as"),
                name="efcp_outage_open_once",
            ),
        ),
        migrations.AddField(
            model_name="silence",
            name="proxy",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="proxies.proxy"
            ),
        ),
        migrations.AddIndex(
            model_name="silence",
            index=models.Index(fields=["ends_at"], name="efcp_silence_ends"),
        ),
        migrations.RemoveConstraint(
            model_name="outage",
            name="efcp_outage_once",
        ),
        migrations.RunPython(sent_when_notified, migrations.RunPython.noop),
    ]
