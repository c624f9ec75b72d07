from hashlib import sha256
from typing import Any

from django.db import migrations, models


def fill_keys(apps: Any, _schema_editor: Any) -> None:
    """Give each case that is saved already the key of its input."""
    for case in apps.get_model("dialplan", "SavedCase").objects.all():
        case.input_key = sha256(case.input.encode()).hexdigest()
        case.save(update_fields=["input_key"])


class Migration(migrations.Migration):
    dependencies = [
        ("dialplan", "0003_cases"),
    ]

    operations = [
        migrations.AddField(
            model_name="savedcase",
            name="input_key",
            field=models.CharField(default="", editable=False, max_length=64),
            preserve_default=False,
        ),
        migrations.RunPython(fill_keys, migrations.RunPython.noop),
        migrations.RemoveConstraint(model_name="savedcase", name="efcp_dialplan_case_once"),
        migrations.AddConstraint(
            model_name="savedcase",
            constraint=models.UniqueConstraint(fields=("dpid", "input_key"), name="efcp_dialplan_case_key"),
        ),
    ]
