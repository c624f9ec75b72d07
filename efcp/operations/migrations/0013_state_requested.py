"""Name the requested state of a result as the code does."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("operations", "0012_plain_words"),)

    operations = (migrations.RenameField("stateresult", "state_wanted", "state_requested"),)
