"""Name the columns of report cursors and late reports as the code does."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("proxies", "0012_shared_questions"),)

    operations = (
        migrations.RenameField("proxycontact", "switches_mark", "flags_cursor"),
        migrations.RenameField("proxycontact", "loads_mark", "loads_cursor"),
        migrations.RenameField("proxycontact", "late_switches", "late_reports"),
        migrations.RenameField("proxyload", "mark", "reports_cursor"),
    )
