from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("preview", "0003_lead_targets"),
    ]

    operations = [
        migrations.RenameModel(old_name="Lead", new_name="DialplanTarget"),
    ]
