from django.db import migrations, models

from dialplan.table import DIALPLAN
from efcp.database.opensips import adopt_or_create


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.RunPython(adopt_or_create(DIALPLAN), migrations.RunPython.noop),
        migrations.CreateModel(
            name="Rule",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("dpid", models.IntegerField()),
                ("pr", models.IntegerField(default=0)),
                ("match_op", models.IntegerField(choices=[(0, "Equal string"), (1, "Regular expression")])),
                ("match_exp", models.CharField(max_length=64)),
                ("match_flags", models.IntegerField(default=0)),
                ("subst_exp", models.CharField(max_length=64, null=True)),
                ("repl_exp", models.CharField(max_length=32, null=True)),
                ("timerec", models.CharField(max_length=255, null=True)),
                ("disabled", models.IntegerField(default=0)),
                ("attrs", models.CharField(max_length=255, null=True)),
            ],
            options={
                "db_table": "dialplan",
                "managed": False,
            },
        ),
    ]
