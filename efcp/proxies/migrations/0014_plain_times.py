"""Name the times of requests, attempts, answers and loads as the code does."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = (("proxies", "0013_report_cursors"),)

    operations = (
        migrations.RenameField("proxycontact", "asked_at", "requested_at"),
        migrations.RenameField("proxycontact", "tried_at", "attempted_at"),
        migrations.RenameField("proxycontact", "seen_at", "answered_at"),
        migrations.RenameField("proxycontact", "probes_seen_at", "probes_reported_at"),
        migrations.RenameField("proxycontact", "reports_asked_at", "reports_requested_at"),
        migrations.RenameField("proxyload", "begun_at", "started_at"),
        migrations.RenameField("proxyload", "reports_asked_at", "reports_requested_at"),
    )
