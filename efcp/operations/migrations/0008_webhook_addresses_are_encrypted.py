from typing import Any
from urllib.parse import urlsplit

from django.db import migrations, models

from efcp.operations.models import WEBHOOK_ADDRESS
from efcp.proxies.mi_password import encrypt


def encrypt_addresses(apps: Any, _editor: Any) -> None:
    """Encrypt what stands in the column, and leave what may be shown of it."""
    rules = apps.get_model("operations", "NotificationRule").objects
    for rule in rules.exclude(masked_url=""):
        parts = urlsplit(rule.masked_url)
        rule.url_encrypted = encrypt(rule.masked_url, WEBHOOK_ADDRESS)
        rule.masked_url = f"{parts.scheme}://{parts.netloc}/…"
        rule.save(update_fields=["url_encrypted", "masked_url"])


class Migration(migrations.Migration):
    dependencies = [("operations", "0007_dialplan_reload")]

    operations = [
        migrations.RenameField("notificationrule", "url", "masked_url"),
        migrations.AddField("notificationrule", "url_encrypted", models.BinaryField(blank=True, default=b"")),
        migrations.RunPython(encrypt_addresses, migrations.RunPython.noop),
    ]
