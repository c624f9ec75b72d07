from django.db import migrations, models

from dispatcher.table import DISPATCHER
from efcp.database.opensips import adopt_or_create


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.RunPython(adopt_or_create(DISPATCHER), migrations.RunPython.noop),
        migrations.CreateModel(
            name="Destination",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("setid", models.IntegerField(default=0)),
                ("destination", models.CharField(default="", max_length=192)),
                ("socket", models.CharField(max_length=128, null=True)),
                (
                    "state",
                    models.IntegerField(choices=[(0, "Active"), (1, "Inactive"), (2, "Probing")], default=0),
                ),
                (
                    "probe_mode",
                    models.PositiveIntegerField(
                        choices=[(0, "Only while probing"), (1, "Always")], default=0
                    ),
                ),
                ("weight", models.CharField(default="1", max_length=64)),
                ("priority", models.IntegerField(default=0)),
                ("attrs", models.CharField(max_length=128, null=True)),
                ("description", models.CharField(max_length=64, null=True)),
            ],
            options={
                "db_table": "dispatcher",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="DestinationSet",
            fields=[
                ("setid", models.IntegerField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=64)),
            ],
            options={
                "db_table": "efcp_destination_set",
            },
        ),
    ]
