"""Slowing down who guesses passwords, per account and per client address, for all processes at once.

An attempt counts as failed before its password is checked, and is reset when the password was right, so that
many attempts at once can't all slip in before the first is counted. After a few free ones each further
attempt must wait twice as long as the one before, up to a limit: nobody is locked out for good. An attempt
that comes too early is neither checked nor counted.

django-axes and django-ratelimit count in a cache or after the attempt, and lock out: neither holds back many
attempts at once on one database, nor lets the account's own browser in while others guess.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from math import ceil

from django.db import transaction
from django.db.models import F
from django.utils.crypto import salted_hmac

from efcp.accounts.models import FailedLogins
from efcp.proxies.locking import retried_on_lock

FORGOTTEN_AFTER = timedelta(hours=24)
"""A count is reset after so long without a failed login."""

ACCOUNTS = 4096
"""Rows for names: names share them by a keyed digest, whether a user bears them or not, so
that neither the number of rows nor a wait reveals a name. A known browser has a row of its own."""

MOST_ROWS = 20_000
"""Rows of all kinds; beyond that those go that were counted longest ago."""

SESSIONS_A_DAY = 20
"""How often one known browser may begin a session before anyone signs in."""

RECORDS_AN_HOUR = 100
"""At most so many throttles are recorded in the audit within an hour; the counting itself goes on."""

IPV6_SITE_BITS = 64
"""A site has at least a whole /64 (RFC 6177), and could try from a new address of it each time."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """`free` failed logins cost nothing; then the wait doubles from 2 s up to `longest_wait` seconds."""

    free: int
    longest_wait: int

    def wait_after(self, failures: int) -> int:
        """Seconds to wait after so many failed logins in a row."""
        beyond = failures - self.free
        if beyond <= 0:
            return 0
        return int(min(2 ** min(beyond, 30), self.longest_wait))


ACCOUNT_PACE = Backoff(free=5, longest_wait=60)
ADDRESS_PACE = Backoff(free=20, longest_wait=300)


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """One attempt whose password may be checked; `began` are the throttles that it set off."""

    account_key: str
    address_key: str
    wait_next: int
    began: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Throttled:
    """The attempt must wait for so many more seconds; its password was not checked."""

    wait: int


ACCOUNT = "account"
ADDRESS = "address"
_PACES = {ACCOUNT: ACCOUNT_PACE, ADDRESS: ADDRESS_PACE}


def count_attempt(username: str, address: str, now: datetime, browser: str = "") -> LoginAttempt | Throttled:
    """Count an attempt to sign in as `username` from `address`, or refuse it when it comes too early.

    Attempts from a `browser` that is known as the user's (efcp/accounts/sessions.py) count apart.
    """
    keys = {ACCOUNT: _account_key(username, browser), ADDRESS: _address_key(address)}
    _make_rows(keys.values(), now)
    return _count(keys, now)


@retried_on_lock
def _count(keys: dict[str, str], now: datetime) -> LoginAttempt | Throttled:
    with transaction.atomic():
        # In the order of the key, so that no two attempts deadlock.
        locked = FailedLogins.objects.select_for_update().filter(pk__in=keys.values()).order_by("key")
        rows = {row.key: row for row in locked}
        counts = {kind: rows.get(key, FailedLogins(key=key, last_at=now)) for kind, key in keys.items()}
        for row in counts.values():
            _forget_old(row, now)
        wait = max(_wait_left(kind, row, now) for kind, row in counts.items())
        if wait > 0:
            return Throttled(wait)
        for row in counts.values():
            row.count += 1
            row.last_at = now
            row.save()
    waits = {kind: _PACES[kind].wait_after(row.count) for kind, row in counts.items()}
    began = tuple(kind for kind, row in counts.items() if row.count == _PACES[kind].free + 1)
    return LoginAttempt(keys[ACCOUNT], keys[ADDRESS], max(waits.values()), began)


@retried_on_lock
def reset_failures(counted: LoginAttempt) -> None:
    """The password was right: the account's count is reset, and the address's loses this attempt.

    The address keeps its other failures: else anyone with one account could guess at others' forever.
    """
    with transaction.atomic():
        FailedLogins.objects.filter(pk=counted.account_key).update(count=0)
        FailedLogins.objects.filter(pk=counted.address_key, count__gt=0).update(count=F("count") - 1)


@retried_on_lock
def uncount_attempt(counted: LoginAttempt) -> None:
    """The password was right and a second factor is next: this attempt counts for nothing, the others stay.

    Else a user of the right password could reset the count of wrong codes with it.
    """
    with transaction.atomic():
        for key in sorted((counted.account_key, counted.address_key)):
            FailedLogins.objects.filter(pk=key, count__gt=0).update(count=F("count") - 1)


@retried_on_lock
def may_begin_session(browser: str, now: datetime) -> bool:
    """Count one more session that a known browser begins before signing in; False where it began too many."""
    key = f"session:{browser}"
    _make_rows([key], now)
    with transaction.atomic():
        row = FailedLogins.objects.select_for_update().filter(pk=key).first() or FailedLogins(
            key=key, last_at=now
        )
        _forget_old(row, now)
        if row.count >= SESSIONS_A_DAY:
            return False
        row.count += 1
        row.last_at = now
        row.save()
    return True


def reset_account(username: str) -> None:
    """Reset the account's count, for recovery from the server's own shell."""
    FailedLogins.objects.filter(pk=_account_key(username, "")).update(count=0)


def prune_failed_logins(now: datetime) -> int:
    """Delete the counts that are forgotten by `now`; return how many. For the cleanup job."""
    deleted, _ = FailedLogins.objects.filter(last_at__lt=now - FORGOTTEN_AFTER).delete()
    return deleted


def _make_rows(keys: Iterable[str], now: datetime) -> None:
    """Have a row to lock for each key; inserted before the counting transaction, so none is waited for."""
    missing = set(keys) - set(FailedLogins.objects.filter(pk__in=keys).values_list("key", flat=True))
    if not missing:
        return
    _make_room(len(missing))
    FailedLogins.objects.bulk_create(
        [FailedLogins(key=key, last_at=now) for key in sorted(missing)], ignore_conflicts=True
    )


def _make_room(count: int) -> None:
    """Have room for `count` more rows."""
    beyond = FailedLogins.objects.count() + count - MOST_ROWS
    if beyond > 0:
        oldest = FailedLogins.objects.order_by("last_at").values_list("key", flat=True)
        FailedLogins.objects.filter(pk__in=list(oldest[: max(beyond, MOST_ROWS // 20)])).delete()


def _forget_old(row: FailedLogins, now: datetime) -> None:
    if now - row.last_at > FORGOTTEN_AFTER:
        row.count = 0


def _wait_left(kind: str, row: FailedLogins, now: datetime) -> int:
    """Seconds left; never more than the whole wait, should the clock have been set back."""
    whole = _PACES[kind].wait_after(row.count)
    return max(0, min(whole, ceil(whole - (now - row.last_at).total_seconds())))


def _account_key(username: str, browser: str) -> str:
    """The row of a name: a keyed digest, since what is typed as a name is now and then a password."""
    if browser:
        return f"browser:{browser}"
    digest = salted_hmac("efcp.accounts.throttle", username.casefold(), algorithm="sha256").digest()
    return f"account:{int.from_bytes(digest[:8]) % ACCOUNTS}"


def _address_key(address: str) -> str:
    if not address:
        return "address:"
    parsed = ip_address(address)
    if parsed.version == 6:
        return f"address:{ip_network((parsed, IPV6_SITE_BITS), strict=False)}"
    return f"address:{parsed}"
