from typing import Any

from django.db import migrations, models
from django.db.models import F


def count_from_the_begin(apps: Any, _schema_editor: Any) -> None:
    """Give each outage the moment at which it began."""
    apps.get_model("operations", "Outage").objects.update(counts_from=F("began_at"))


class Migration(migrations.Migration):
    """Rules that follow sets and proxies; outages that are on purpose."""

    dependencies = [("operations", "0013_state_requested")]

    operations = [
        migrations.AddField("notificationrule", "min_active", models.PositiveIntegerField(default=1)),
        migrations.AddField("outage", "silence", models.CharField(blank=True, default="", max_length=255)),
        migrations.AddField("outage", "counts_from", models.DateTimeField(null=True)),
        migrations.RunPython(count_from_the_begin, migrations.RunPython.noop),
        migrations.AlterField("outage", "counts_from", models.DateTimeField()),
    ]
