"""Detects what is down by each rule, and creates the notices that are due.

An outage of a destination begins when its state becomes one that the rule counts as down, and goes on however
it changes among such states; of a set, when too few of its destinations are active on a proxy; of a proxy,
when it does not answer. It is kept in a row of its own until it is over: that row, and the lock on the rule,
make sure that each is notified once, whichever process looks and however often it restarts. What a proxy that
does not answer holds is unknown, not down: its outages stay as they were.

What is out of service on purpose (efcp/operations/alerts/silences.py) is kept, shown and not notified.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, Q
from django.db.models.functions import Coalesce

from dispatcher.selectors import set_names
from efcp.operations.alerts.models import Condition, Notice, NotificationRule, Outage
from efcp.operations.alerts.silences import Key, silenced
from efcp.operations.history.causes import DETECTED_WITHIN
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import KnownDestination, KnownState, Proxy, ProxyContact, StateChange

MAX_DOWN = 20_000
"""Destinations that one rule looks after at a time; more are down than anybody reads of."""

MAX_LISTED = 100
"""Destinations named in one message; of more, their number."""

LOOKED_BACK = timedelta(days=1)
"""How far back a destination that is gone from a proxy's memory is looked for."""

_LAST_DOWN = Coalesce(Max("since", filter=~Q(state=KnownState.ACTIVE)), Max("since"))


@dataclass(frozen=True, slots=True)
class Down:
    """What is down: as what, since when it is in that state, and why that is on purpose, if it is.

    `missing` is how many active destinations a set lacks.
    """

    uri: str
    state: str
    since: datetime
    missing: int = 0
    silence: str = ""


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
    _update([(each, down[key]) for key, each in known.items() if key in down], now)
    over = [each for key, each in known.items() if key not in down]
    due = rule.outages.filter(
        notified_at=None, is_old=False, silence="", counts_from__lte=now - timedelta(seconds=rule.after_s)
    )
    created = _notify(rule, "down", [each for each in due[:MAX_DOWN] if _key(each) in down], now)
    if rule.notify_recovery:
        created += _notify(rule, "back", [each for each in over if each.notified_at is not None], now)
    rule.outages.filter(pk__in=[each.pk for each in over]).delete()
    return created


def _down(rule: NotificationRule, now: datetime) -> dict[Key, Down]:
    """What counts as down for the rule at this moment, by what was last read of each proxy."""
    proxies = {proxy.pk: proxy.partition for proxy in _proxies(rule)}
    found = _down_destinations(rule, proxies)
    if Condition.ABSENT in rule.states:
        found |= _gone(rule, proxies, now)
    if Condition.SET in rule.states:
        found |= _small_sets(rule, proxies)
    if Condition.PROXY in rule.states:
        found |= _silent_proxies(proxies)
    # Read last: what takes a destination out on purpose is stored before any list shows that it is out.
    if any(each.state in {Condition.INACTIVE, Condition.SET} for each in found.values()):
        return _with_silences(found, silenced(now))
    return found


def _with_silences(down: Mapping[Key, Down], silences: Mapping[Key, str]) -> dict[Key, Down]:
    """The same, each with its silence; a set is silent where what is out on purpose is all that it lacks."""
    of_sets: dict[tuple[int, str, int], list[str]] = defaultdict(list)
    for key, reason in silences.items():
        of_sets[key[:3]].append(reason)

    def silence(key: Key, each: Down) -> str:
        if each.state != Condition.SET:
            return silences.get(key, "")
        reasons = of_sets[key[:3]]
        return reasons[0] if len(reasons) >= each.missing else ""

    return {key: replace(each, silence=silence(key, each)) for key, each in down.items()}


def _down_destinations(rule: NotificationRule, proxies: Mapping[int, str]) -> dict[Key, Down]:
    known = KnownDestination.objects.filter(proxy__in=proxies, occurrence=0, state__in=rule.states)
    if rule.setids:
        known = known.filter(setid__in=rule.setids)
    rows = known.values_list("proxy_id", "partition", "setid", "uri_key", "uri", "state", "since")
    return {
        (proxy_id, partition, setid, key): Down(uri, state, since)
        for proxy_id, partition, setid, key, uri, state, since in rows[:MAX_DOWN]
        if proxies[proxy_id] == partition
    }


def _small_sets(rule: NotificationRule, proxies: Mapping[int, str]) -> dict[Key, Down]:
    """Sets with too few active destinations, since the last of them went down."""
    known = KnownDestination.objects.filter(proxy__in=proxies)
    if rule.setids:
        known = known.filter(setid__in=rule.setids)
    small = (
        known.values("proxy_id", "partition", "setid")
        .annotate(active=Count("pk", filter=Q(state=KnownState.ACTIVE)), last=_LAST_DOWN)
        .filter(active__lt=rule.min_active)
        .values_list("proxy_id", "partition", "setid", "active", "last")
    )
    return {
        (proxy_id, partition, setid, ""): Down("", Condition.SET, last, rule.min_active - active)
        for proxy_id, partition, setid, active, last in small[:MAX_DOWN]
        if proxies[proxy_id] == partition
    }


def _silent_proxies(proxies: Mapping[int, str]) -> dict[Key, Down]:
    silent = ProxyContact.objects.filter(proxy__in=proxies).exclude(failing_since=None)
    return {
        (proxy_id, proxies[proxy_id], Outage.NO_SET, ""): Down("", Condition.PROXY, since)
        for proxy_id, since in silent.values_list("proxy_id", "failing_since")
        if since is not None
    }


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
        (proxy_id, partition, setid, key): Down(uri, Condition.ABSENT, at)
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
                counts_from=each.since,
                silence=each.silence,
                # Proxies report whole seconds: what began in the second of the rule is not older than it.
                is_old=each.since < rule.since.replace(microsecond=0),
            )
            for (proxy_id, partition, setid, uri_key), each in down.items()
        ),
        batch_size=500,
    )


def _update(outages: Iterable[tuple[Outage, Down]], now: datetime) -> None:
    """Store states that changed, and silences that began or ended: after one, the seconds count from 0."""
    changed = []
    for outage, down in outages:
        if (outage.state, outage.silence) == (down.state, down.silence):
            continue
        if outage.silence and not down.silence:
            outage.counts_from = now + DETECTED_WITHIN
        outage.state, outage.silence = down.state, down.silence
        changed.append(outage)
    if changed:
        Outage.objects.bulk_update(changed, ("state", "silence", "counts_from"), batch_size=500)


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
    listed: dict[str, list[dict[str, Any]]] = {"proxies": [], "sets": [], "destinations": []}
    for each in sorted(outages, key=_worst_first)[:MAX_LISTED]:
        since = {"since": each.began_at.isoformat(timespec="seconds")}
        of_proxy = {"proxy": proxies.get(each.proxy_id, ""), "partition": each.partition}
        of_set = of_proxy | {"set": each.setid, "set_name": names.get(each.setid, "")}
        if each.state == Condition.PROXY:
            listed["proxies"].append(of_proxy | since)
        elif each.state == Condition.SET:
            listed["sets"].append(of_set | {"fewer_than": rule.min_active} | since)
        else:
            listed["destinations"].append(of_set | {"uri": each.uri, "state": each.state} | since)
    return {
        "id": key,
        "kind": kind,
        "rule": rule.name,
        "at": now.isoformat(timespec="seconds"),
        **listed,
        "further": max(0, len(outages) - MAX_LISTED),
    }


def _worst_first(outage: Outage) -> int:
    if outage.state == Condition.PROXY:
        return 0
    return 1 if outage.state == Condition.SET else 2


def _key(outage: Outage) -> Key:
    return outage.proxy_id, outage.partition, outage.setid, outage.uri_key
