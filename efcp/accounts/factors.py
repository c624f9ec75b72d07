"""Second factors: codes of an authenticator app (RFC 6238), recovery codes, passkeys and security keys.

django-allauth keeps and computes them. Its pages and its guard against replay, a cache of each process, are
not used: here the step of the last code is stored with the secret, under a lock on the user's row, so that a
code counts once however many processes get it at the same moment.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import F, QuerySet
from django.http.request import split_domain_port
from django.utils import timezone

from efcp.accounts.models import User
from efcp.accounts.services import subject
from efcp.audit.services import Actor, record
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.mi_password import decrypt, encrypt

APP = Authenticator.Type.TOTP
KEY = Authenticator.Type.WEBAUTHN
CODES = Authenticator.Type.RECOVERY_CODES
SECOND_FACTORS = (APP, KEY)
MOST_KEYS = 20
STEP_S = 30
"""Seconds for which a code of an authenticator app is shown."""
ISSUER = "EFCP"

PURPOSE = b"efcp: second factors"
"""What its secrets are encrypted for (efcp.proxies.mi_password)."""


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Encrypts the secrets of second factors, and names the panel to authenticators."""

    def encrypt(self, text: str) -> str:
        """The token to store."""
        return encrypt(text, PURPOSE).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The text of a token; raises UnreadablePasswordError under another secret key."""
        return decrypt(encrypted_text.encode(), PURPOSE)

    def _get_site_name(self) -> str:
        return ISSUER

    def relying_party(self, host: str) -> dict[str, str]:
        """The panel as passkeys know it: by the host name of its pages, without the port."""
        return {"id": split_domain_port(host)[0], "name": ISSUER}


class FactorRefusedError(Exception):
    """A code or a key was refused; the text says why, for people."""


WRONG_CODE = "Wrong code. If codes keep failing, check the clock of your device: it may be 30 seconds off."
USED_CODE = "This code was used before. Wait for the next one."


@dataclass(frozen=True, slots=True)
class Key:
    """A passkey or security key."""

    id: int
    name: str
    added_at: datetime
    last_used_at: datetime | None
    signs_in_alone: bool


@dataclass(frozen=True, slots=True)
class Factors:
    """What a user has beside the password."""

    app: Authenticator | None
    keys: tuple[Key, ...]
    codes_left: int

    @property
    def exist(self) -> bool:
        """Whether signing in takes a second factor."""
        return self.app is not None or bool(self.keys)


def factors_of(user: User) -> Factors:
    """The user's factors, in one query."""
    rows = list(Authenticator.objects.filter(user_id=user.pk).order_by("pk"))
    codes = next((row for row in rows if row.type == CODES), None)
    keys = tuple(
        Key(row.pk, row.data["name"], row.created_at, row.last_used_at, bool(row.wrap().is_passwordless))
        for row in rows
        if row.type == KEY
    )
    left = len(codes.wrap().get_unused_codes()) if codes else 0
    return Factors(next((row for row in rows if row.type == APP), None), keys, left)


def has_second_factor(user: User) -> bool:
    """Whether signing in takes a second factor."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=SECOND_FACTORS).exists())


def users_with_a_factor() -> Any:
    """The ids of users who have a second factor, as a query."""
    return Authenticator.objects.filter(type__in=SECOND_FACTORS).values_list("user_id", flat=True)


def new_app_secret() -> str:
    """The secret for an authenticator app, 160 random bits in base 32 (RFC 4226 section 4)."""
    from allauth.mfa.totp.internal.auth import generate_totp_secret

    return str(generate_totp_secret())


def app_address(user: User, secret: str) -> str:
    """The otpauth:// address that a QR code brings to an authenticator app."""
    return str(FactorAdapter().build_totp_url(user, secret))


def qr_squares(text: str) -> tuple[int, str]:
    """A QR code as an SVG path of unit squares: its width with a quiet zone of four, and the path's data."""
    from qrcode.main import QRCode

    code = QRCode(border=4)
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return len(rows), path


def step_of(secret: str, code: str, now: float) -> int | None:
    """The 30-second step within one of `now` (Unix time) whose code this is (RFC 6238); None for none."""
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

    current = int(now) // STEP_S
    steps = (current, current - 1, current + 1)
    return next((step for step in steps if format_hotp_value(hotp_value(secret, step)) == code), None)


@retried_on_lock
def add_app(user: User, secret: str, code: str, actor: Actor) -> list[str]:
    """Keep the authenticator app whose first code this is; return new recovery codes, if these are the first.

    An app that the user had before is replaced. Raises FactorRefusedError.
    """
    step = step_of(secret, _digits(code), time.time())
    if step is None:
        raise FactorRefusedError(WRONG_CODE)
    with transaction.atomic():
        _lock(user)
        Authenticator.objects.filter(user=user, type=APP).delete()
        data = {"secret": FactorAdapter().encrypt(secret), "last_step": step}
        Authenticator.objects.create(user=user, type=APP, data=data)
        record(actor, "add factor", subject(user), after={"factor": "authenticator app"})
        return _first_codes(user)


@retried_on_lock
def add_key(user: User, name: str, credential: dict[str, Any], sign_count: int, actor: Actor) -> list[str]:
    """Keep a verified passkey; return new recovery codes, if these are the first.

    Raises FactorRefusedError where the user has MOST_KEYS.
    """
    with transaction.atomic():
        _lock(user)
        if Authenticator.objects.filter(user=user, type=KEY).count() >= MOST_KEYS:
            raise FactorRefusedError(f"You have {MOST_KEYS} keys: remove one first.")
        data = {"name": name, "credential": credential, "sign_count": sign_count}
        Authenticator.objects.create(user=user, type=KEY, data=data)
        record(actor, "add factor", subject(user), after={"factor": "passkey", "name": name})
        return _first_codes(user)


@retried_on_lock
def use_code(user: User, code: str) -> str:
    """Use up a code of the user's app or a recovery code; returns which. Raises FactorRefusedError."""
    digits = _digits(code)
    with transaction.atomic():
        _lock(user)
        rows = {row.type: row for row in Authenticator.objects.filter(user=user, type__in=(APP, CODES))}
        if (app := rows.get(APP)) and (step := step_of(_secret_of(app), digits, time.time())) is not None:
            if step <= app.data.get("last_step", -1):
                raise FactorRefusedError(USED_CODE)
            app.data["last_step"] = step
            app.last_used_at = timezone.now()
            app.save(update_fields=["data", "last_used_at"])
            return "authenticator app"
        if (codes := rows.get(CODES)) and codes.wrap().validate_code(digits):
            return "recovery code"
    raise FactorRefusedError(WRONG_CODE)


@retried_on_lock
def use_key(user: User, find: Callable[[QuerySet[Authenticator]], tuple[Authenticator, int, float]]) -> str:
    """Note the use of a passkey that `find` verifies among the user's.

    `find` gives the key, its signature counter, and when its challenge was issued (Unix time). A challenge
    counts once; a counter that doesn't grow is that of a copy (WebAuthn section 6.1.1). Raises
    FactorRefusedError.
    """
    with transaction.atomic():
        _lock(user)
        key, count, issued_at = find(Authenticator.objects.filter(user=user, type=KEY))
        if issued_at <= key.data.get("challenge_at", 0):
            raise FactorRefusedError("This answer of the key was used before. Try again.")
        stored = key.data.get("sign_count", 0)
        if (count or stored) and count <= stored:
            raise FactorRefusedError(
                "The counter of this key went back, as that of a copy does. Remove the key and add it again."
            )
        key.data.update(sign_count=count, challenge_at=issued_at)
        key.last_used_at = timezone.now()
        key.save(update_fields=["data", "last_used_at"])
    return "passkey"


@retried_on_lock
def renew_codes(user: User, actor: Actor) -> list[str]:
    """New recovery codes in place of the former ones."""
    with transaction.atomic():
        _lock(user)
        Authenticator.objects.filter(user=user, type=CODES).delete()
        record(actor, "renew recovery codes", subject(user))
        return _first_codes(user)


@retried_on_lock
def remove_factor(user: User, factor_id: int, actor: Actor) -> bool:
    """Remove one of the user's own factors, with the last one the recovery codes; False where it is gone."""
    with transaction.atomic():
        _lock(user)
        row = Authenticator.objects.filter(user=user, pk=factor_id, type__in=SECOND_FACTORS).first()
        if row is None:
            return False
        row.delete()
        if not has_second_factor(user):
            Authenticator.objects.filter(user=user).delete()
        record(actor, "remove factor", subject(user), before={"factor": str(row.type), "name": str(row)})
    return True


@retried_on_lock
def reset_factors(user: User, actor: Actor) -> bool:
    """Remove all factors of a user, end their sessions, and inform them; False where there are none."""
    with transaction.atomic():
        _lock(user)
        rows = list(Authenticator.objects.filter(user=user).order_by("pk"))
        if not rows:
            return False
        Authenticator.objects.filter(user=user).delete()
        notice = f"{actor.name} removed your second factors. If you didn't expect this, change your password."
        User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1, notice=notice[:255])
        record(actor, "reset factors", subject(user), before={"factors": [str(row.type) for row in rows]})
    return True


def _lock(user: User) -> None:
    """Serialize what concerns the factors of one user."""
    User.objects.select_for_update().filter(pk=user.pk).values_list("pk").first()


def _first_codes(user: User) -> list[str]:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    if Authenticator.objects.filter(user=user, type=CODES).exists():
        return []
    return [_grouped(code) for code in RecoveryCodes.activate(user).generate_codes()]


def _grouped(code: str) -> str:
    return f"{code[:4]} {code[4:]}"


def _secret_of(app: Authenticator) -> str:
    return FactorAdapter().decrypt(app.data["secret"])


def _digits(code: str) -> str:
    """The digits of a code as it was typed, with or without spaces."""
    return "".join(code.split()).replace("-", "")
