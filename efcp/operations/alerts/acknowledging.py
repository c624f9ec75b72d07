"""What people do with alerts: acknowledge them, and silence a scope until a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from efcp.audit.services import Actor, Subject, record
from efcp.operations.alerts.models import NotificationRule, Outage, Silence
from efcp.proxies.models import Proxy

MOST = 20_000
"""Alerts that are acknowledged at a time."""

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """How many alerts are acknowledged now, and who had acknowledged others of them before."""

    count: int
    by_others: tuple[str, ...]


def acknowledge(ids: Iterable[int], actor: Actor) -> Acknowledged:
    """Acknowledge open alerts by their numbers, in the eyes of every rule that follows the same.

    It stops their repetition and escalation. What was acknowledged before keeps its author: doing it twice,
    or two people at once, is doing it once.
    """
    chosen = set(ids)
    now = timezone.now()
    with transaction.atomic():
        # The rules' locks, in one order: the watcher writes alerts under them.
        list(NotificationRule.objects.select_for_update().order_by("pk").values_list("pk", flat=True))
        rows = list(Outage.objects.filter(closed_as=0).order_by("pk")[:MOST])
        scopes = {_scope(each) for each in rows if each.pk in chosen}
        same = [each for each in rows if _scope(each) in scopes]
        new = [each for each in same if each.acknowledged_at is None]
        for begin in range(0, len(new), _AT_ONCE):
            numbers = [each.pk for each in new[begin : begin + _AT_ONCE]]
            Outage.objects.filter(pk__in=numbers).update(acknowledged_at=now, acknowledged_by=actor.name)
        if new:
            label = new[0].uri or new[0].state_words
            more = f" and {len(new) - 1:,} more" if len(new) > 1 else ""
            record(actor, "acknowledge", Subject("alert", str(new[0].pk), f"{label}{more}"[:200]))
    others = {each.acknowledged_by for each in same if each.acknowledged_at is not None}
    return Acknowledged(len({_scope(each) for each in new}), tuple(sorted(others)))


def silence(
    *,
    proxy: Proxy | None,
    setid: int | None,
    uri_key: str,
    ends_at: datetime,
    reason: str,
    actor: Actor,
) -> Silence:
    """Silence the alerts of a scope from now on."""
    with transaction.atomic():
        added = Silence.objects.create(
            proxy=proxy,
            setid=setid,
            uri_key=uri_key,
            reason=reason,
            actor=actor.name,
            begins_at=timezone.now(),
            ends_at=ends_at,
        )
        after = {"scope": added.scope, "ends_at": ends_at.isoformat(timespec="seconds")}
        record(actor, "add", _subject(added), after=after, reason=reason)
    return added


def end_silence(silence_id: int, actor: Actor) -> bool:
    """End a silence now; False where it is over already."""
    now = timezone.now()
    with transaction.atomic():
        running = Silence.objects.select_for_update().filter(pk=silence_id, ends_at__gt=now).first()
        if running is None:
            return False
        running.ends_at, running.ended_by = now, actor.name
        running.save(update_fields=["ends_at", "ended_by"])
        record(actor, "end", _subject(running))
    return True


def _scope(alert: Outage) -> tuple[int | None, str, int, str]:
    return alert.proxy_id, alert.partition, alert.setid, alert.uri_key


def _subject(found: Silence) -> Subject:
    return Subject("silence", str(found.pk), found.scope[:200])
