"""Detects which destinations are down by each rule, and creates the notices that are due.

An outage begins when a destination's state becomes one that the rule counts as down, and goes on however it
changes among such states. It is kept in a row of its own until the destination is up: that row, and the lock
on the rule, make sure that each is notified once, whichever process looks and however often it restarts.
What a proxy that does not answer holds is unknown, not down: its outages stay as they were.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from dispatcher.selectors import set_names
from efcp.operations.alerts.models import Notice, NotificationRule, Outage
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import KnownDestination, Proxy, StateChange

ABSENT = "absent"
MAX_DOWN = 20_000
"""Destinations that one rule looks after at a time; more are down than anybody reads of."""

MAX_LISTED = 100
"""Destinations named in one message; of more, their number."""

LOOKED_BACK = timedelta(days=1)
"""How far back a destination that is gone from a proxy's memory is looked for."""

Key = tuple[int, str, int, str]
"""Proxy, partition, set, URI key."""


@dataclass(frozen=True, slots=True)
class Down:
    """A destination that is down: as what, and since when it is in that state."""

    uri: str
    state: str
    since: datetime


def create_notices(now: datetime) -> int:
    """Update every rule's outages and create the notices that are due; return how many."""
    rules = NotificationRule.objects.filter(enabled=True).values_list("pk", flat=True)
    return sum(_of_rule(pk, now) for pk in rules)


@retried_on_lock
@transaction.atomic
def _of_rule(rule_id: int, now: datetime) -> int:
    rule = NotificationRule.objects.select_for_update().filter(pk=rule_id, enabled=True).first()
    if rule is None:
        return 0
    down = _down(rule, now)
    known = {_key(each): each for each in rule.outages.all()[:MAX_DOWN]}
    _open_outages(rule, {key: one for key, one in down.items() if key not in known})
    over = [each for key, each in known.items() if key not in down]
    due = rule.outages.filter(
        notified_at=None, is_old=False, began_at__lte=now - timedelta(seconds=rule.after_s)
    )
    created = _notify(rule, "down", [each for each in due[:MAX_DOWN] if _key(each) in down], now)
    if rule.notify_recovery:
        created += _notify(rule, "back", [each for each in over if each.notified_at is not None], now)
    rule.outages.filter(pk__in=[each.pk for each in over]).delete()
    return created


def _down(rule: NotificationRule, now: datetime) -> dict[Key, Down]:
    """What counts as down for the rule at this moment, by what was last read of each proxy."""
    proxies = {proxy.pk: proxy.partition for proxy in _proxies(rule)}
    known = KnownDestination.objects.filter(proxy__in=proxies, occurrence=0, state__in=rule.states)
    if rule.setids:
        known = known.filter(setid__in=rule.setids)
    rows = known.values_list("proxy_id", "partition", "setid", "uri_key", "uri", "state", "since")
    found = {
        (proxy_id, partition, setid, key): Down(uri, state, since)
        for proxy_id, partition, setid, key, uri, state, since in rows[:MAX_DOWN]
        if proxies[proxy_id] == partition
    }
    if ABSENT in rule.states:
        found |= _gone(rule, proxies, now)
    return found


def _gone(rule: NotificationRule, proxies: Mapping[int, str], now: datetime) -> dict[Key, Down]:
    """What vanished from a proxy's memory lately and did not come back."""
    listed = KnownDestination.objects.filter(
        proxy=OuterRef("proxy"),
        partition=OuterRef("partition"),
        setid=OuterRef("setid"),
        uri_key=OuterRef("uri_key"),
    )
    gone = StateChange.objects.filter(
        ~Exists(listed), proxy__in=proxies, occurrence=0, state_after="", at__gte=now - LOOKED_BACK
    )
    if rule.setids:
        gone = gone.filter(setid__in=rule.setids)
    rows = gone.order_by("at").values_list("proxy_id", "partition", "setid", "uri_key", "uri", "at")
    return {
        (proxy_id, partition, setid, key): Down(uri, ABSENT, at)
        for proxy_id, partition, setid, key, uri, at in rows[:MAX_DOWN]
        if proxies[proxy_id] == partition
    }


def _proxies(rule: NotificationRule) -> Iterable[Proxy]:
    chosen = rule.proxies.filter(enabled=True)
    return chosen if rule.proxies.exists() else Proxy.objects.filter(enabled=True)


def _open_outages(rule: NotificationRule, down: Mapping[Key, Down]) -> None:
    Outage.objects.bulk_create(
        (
            Outage(
                rule=rule,
                proxy_id=proxy_id,
                partition=partition,
                setid=setid,
                uri=each.uri,
                uri_key=uri_key,
                state=each.state,
                began_at=each.since,
                # Proxies report whole seconds: what began in the second of the rule is not older than it.
                is_old=each.since < rule.since.replace(microsecond=0),
            )
            for (proxy_id, partition, setid, uri_key), each in down.items()
        ),
        batch_size=500,
    )


def _notify(rule: NotificationRule, kind: str, outages: Sequence[Outage], now: datetime) -> int:
    """One notice of all of them, since a hundred gateways of one failed switch are one piece of news."""
    if not outages:
        return 0
    key = secrets.token_hex(16)
    content = _content(rule, kind, key, outages, now)
    Notice.objects.create(rule=rule, key=key, kind=kind, content=content, created_at=now, next_try_at=now)
    Outage.objects.filter(pk__in=[each.pk for each in outages]).update(notified_at=now)
    return 1


def _content(
    rule: NotificationRule, kind: str, key: str, outages: Sequence[Outage], now: datetime
) -> dict[str, Any]:
    names = set_names()
    proxies = dict(Proxy.objects.values_list("pk", "name"))
    listed = [
        {
            "proxy": proxies.get(each.proxy_id, ""),
            "partition": each.partition,
            "set": each.setid,
            "set_name": names.get(each.setid, ""),
            "uri": each.uri,
            "state": each.state,
            "since": each.began_at.isoformat(timespec="seconds"),
        }
        for each in outages[:MAX_LISTED]
    ]
    return {
        "id": key,
        "kind": kind,
        "rule": rule.name,
        "at": now.isoformat(timespec="seconds"),
        "destinations": listed,
        "further": max(0, len(outages) - MAX_LISTED),
    }


def _key(outage: Outage) -> Key:
    return outage.proxy_id, outage.partition, outage.setid, outage.uri_key
