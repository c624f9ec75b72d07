from django.db import migrations, models


class Migration(migrations.Migration):
    """Columns under plainer names; and any registered module can be reloaded, so the column has no choices."""

    dependencies = [("operations", "0011_settled_reloads")]

    operations = [
        migrations.RenameField("maintenance", "despite_empty", "allow_empty_set"),
        migrations.RenameField("notificationrule", "tells_back", "notify_recovery"),
        migrations.RenameField("outage", "told_at", "notified_at"),
        migrations.RemoveIndex("notice", "efcp_notice_made"),
        migrations.RenameField("notice", "made_at", "created_at"),
        migrations.AddIndex("notice", models.Index(fields=["created_at"], name="efcp_notice_created")),
        migrations.RenameField("reloadresult", "settled_at", "reconciled_at"),
        migrations.RenameField("stateresult", "settled_at", "reconciled_at"),
        migrations.AlterField("reloadrun", "module", models.CharField(max_length=16)),
        migrations.AlterField(
            "reloadresult",
            "outcome",
            models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("running", "Running"),
                    ("done", "Reloaded"),
                    ("refused", "Refused"),
                    ("not reached", "Not reached"),
                    ("not sent", "Not sent"),
                    ("unknown", "Unknown"),
                    ("no effect", "Not reloaded"),
                ],
                default="waiting",
                max_length=16,
            ),
        ),
    ]
