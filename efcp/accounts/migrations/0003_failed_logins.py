from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_user_time_zone"),
    ]

    operations = [
        migrations.RenameModel(old_name="WrongTries", new_name="FailedLogins"),
    ]
