"""The time zone of a user: the browser's, or chosen."""

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.db import transaction

from efcp.accounts.models import User
from efcp.accounts.services import subject
from efcp.audit.services import Actor, record

LONGEST_NAME = 64


@cache
def names() -> tuple[str, ...]:
    """The IANA names of all zones of this machine, those of a place before UTC and the like."""
    found = available_timezones() - {"localtime", "posixrules", "Factory"}
    return tuple(sorted(found, key=lambda name: ("/" not in name or name.startswith("Etc/"), name)))


def known(name: str) -> ZoneInfo | None:
    """The zone of that name; None where this machine has none."""
    return ZoneInfo(name) if name in _all() else None


def follow_browser(user: User, name: str) -> None:
    """Keep the zone that the user's browser is in; not where they chose one, nor a name that is none.

    Nobody decided anything, so that there is no audit record.
    """
    if user.time_zone_is_chosen or user.time_zone == name or known(name) is None:
        return
    User.objects.filter(pk=user.pk, time_zone_is_chosen=False).update(time_zone=name)
    user.time_zone = name


def choose(user: User, name: str, actor: Actor) -> None:
    """Set the user's clock to the zone of that name, which has to be known; to their browser's if empty."""
    before = _for_audit(user)
    user.time_zone_is_chosen = bool(name)
    user.time_zone = name or user.time_zone
    if _for_audit(user) != before:
        with transaction.atomic():
            user.save(update_fields=["time_zone", "time_zone_is_chosen"])
            record(actor, "time zone", subject(user), before=before, after=_for_audit(user))


@cache
def _all() -> frozenset[str]:
    return frozenset(names())


def _for_audit(user: User) -> dict[str, object]:
    return {"time_zone": user.time_zone, "time_zone_is_chosen": user.time_zone_is_chosen}
