"""Name the time at which a job was requested as the code does."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("jobs", "0001_initial"),)

    operations = (migrations.RenameField("jobrun", "asked_at", "requested_at"),)
