"""Another EFCP_SECRET_KEY: what is encrypted with the former one is encrypted again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Model

from efcp.accounts.factors import PURPOSE as FACTORS
from efcp.api.models import EVENT_ADDRESS, EventWebhook
from efcp.audit.services import Actor, Subject, record
from efcp.operations.alerts.delivery import WEBHOOK_SECRET
from efcp.operations.alerts.models import WEBHOOK_ADDRESS, NotificationRule
from efcp.proxies.mi_password import PURPOSE as MI_PASSWORD
from efcp.proxies.mi_password import UnreadablePasswordError, decrypt, encrypt
from efcp.proxies.models import Proxy

ENCRYPTED_COLUMNS: tuple[tuple[type[Model], str, bytes], ...] = (
    (Proxy, "mi_password_encrypted", MI_PASSWORD),
    (NotificationRule, "url_encrypted", WEBHOOK_ADDRESS),
    (NotificationRule, "secret_encrypted", WEBHOOK_SECRET),
    (EventWebhook, "url_encrypted", EVENT_ADDRESS),
    (EventWebhook, "secret_encrypted", WEBHOOK_SECRET),
)
"""Every column with tokens of `encrypt`, and their purpose."""
ENCRYPTED_FACTOR_DATA = ("secret", "seed", "migrated_codes")
"""What allauth encrypts of a second factor by way of efcp.accounts.factors: texts, or lists of them."""


@dataclass(slots=True)
class Reencryption:
    """How many secrets were encrypted again, and how many no key can read."""

    encrypted: int = 0
    unreadable: int = 0

    def token(self, token: bytes, purpose: bytes) -> bytes:
        """The token under the secret key; the same one where neither key can read it."""
        try:
            text = decrypt(token, purpose)
        except UnreadablePasswordError:
            self.unreadable += 1
            return token
        self.encrypted += 1
        return encrypt(text, purpose)


def reencrypt() -> Reencryption:
    """Encrypt every stored secret with EFCP_SECRET_KEY; those of EFCP_FORMER_SECRET_KEY can be read, too."""
    done = Reencryption()
    with transaction.atomic():
        for model, column, purpose in ENCRYPTED_COLUMNS:
            for row in model._base_manager.select_for_update().exclude(**{column: b""}):
                setattr(row, column, done.token(bytes(getattr(row, column)), purpose))
                row.save(update_fields=[column])
        for factor in Authenticator.objects.select_for_update():
            factor.data = _factor_data(factor.data, lambda text: done.token(text.encode(), FACTORS).decode())
            factor.save(update_fields=["data"])
        counts = {"encrypted": done.encrypted, "unreadable": done.unreadable}
        record(Actor("(command)"), "change key", Subject("secret key", "", "EFCP_SECRET_KEY"), after=counts)
    return done


def _factor_data(data: dict[str, Any], reencrypted: Callable[[str], str]) -> dict[str, Any]:
    """The data of a second factor with its encrypted texts encrypted again."""
    changed = dict(data)
    for name in ENCRYPTED_FACTOR_DATA:
        value = data.get(name)
        if isinstance(value, str) and value:
            changed[name] = reencrypted(value)
        elif isinstance(value, list):
            changed[name] = [reencrypted(each) for each in value]
    return changed
