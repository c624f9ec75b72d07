"""What is down at a moment, for any number of rules: read once per proxy's list, not once per rule.

A proxy's list is read from the database again only when its digest is another one than last time: a beat in
which nothing changed costs two small queries.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Exists, OuterRef, Q

from dispatcher.changes import compare
from efcp.operations.alerts.models import Condition, NotificationRule, Outage, Silence
from efcp.operations.alerts.process_beats import stopped_processes
from efcp.operations.alerts.reconcile import Down, Key, inhibited
from efcp.operations.alerts.silences import silenced
from efcp.proxies.models import KnownDestination, KnownState, Proxy, ProxyContact, ProxyLoad, StateChange
from efcp.proxies.selectors import watched_proxies
from efcp.sip.uri import host_of

MAX_DOWN = 20_000
"""Destinations that one rule looks after at a time; more are down than anybody reads of."""

LOOKED_BACK = timedelta(days=1)
"""How far back a destination that is gone from a proxy's memory is looked for."""

RESTART_SHOWN = timedelta(minutes=10)
"""How long a restart counts as one."""

DRIFT_EVERY = timedelta(seconds=30)
"""The table is compared with the proxies' memory at most so often."""

_host_of = lru_cache(maxsize=65_536)(host_of)


@dataclass(frozen=True, slots=True)
class SetCount:
    """A set in a proxy's memory: active destinations, all of them, and when it last lost an active one."""

    active: int
    total: int
    last_down: datetime


@dataclass(frozen=True, slots=True)
class MemoryPicture:
    """What rules need of one proxy's list. `version` is empty where nothing shows whether it changed."""

    version: tuple[str, ...]
    down: tuple[tuple[int, str, str, str, datetime], ...]
    """Set, URI key, URI, state and since when of what is not active."""
    sets: Mapping[int, SetCount]
    active_hosts: Mapping[int, Counter[str]]
    """How many active destinations a host has, by set; of hosts that have one that is down."""


@dataclass(slots=True)
class Conditions:
    """Reads what is down; keeps what it read of each proxy while its list is the same.

    `panel_only`: only what is known without the watcher.
    """

    panel_only: bool = False
    _pictures: dict[int, MemoryPicture] = field(default_factory=dict)
    _silences: tuple[Any, dict[Key, str]] = (None, {})
    _drift: tuple[datetime | None, dict[Key, Down]] = (None, {})

    def of_rule(self, rule: NotificationRule, now: datetime) -> dict[Key, Down]:
        """What counts as down for the rule, with what is silent and why."""
        found = _stopped(now) if Condition.PANEL in rule.states else {}
        if self.panel_only:
            return found
        proxies = {each.pk: each for each in _proxies(rule)}
        pictures = self._read(proxies)
        for proxy_id, picture in pictures.items():
            partition = proxies[proxy_id].partition
            found |= _destinations(rule, proxy_id, partition, picture)
            if Condition.SET in rule.states:
                found |= _small_sets(rule, proxy_id, partition, picture)
        if {Condition.ABSENT, Condition.EMPTY} & set(rule.states):
            found |= _gone(rule, proxies, pictures, now)
        found |= _of_proxies(rule, proxies, now)
        if Condition.DRIFT in rule.states:
            found |= self._differing(proxies, now)
        found = self._with_silences(dict(list(found.items())[:MAX_DOWN]), pictures, now)
        return inhibited(found, _active_hosts(rule, pictures), _host_of)

    def _read(self, proxies: Mapping[int, Proxy]) -> dict[int, MemoryPicture]:
        contacts = ProxyContact.objects.filter(proxy__in=proxies)
        versions = {
            proxy_id: (digest, cursor, proxies[proxy_id].partition) if digest else ()
            for proxy_id, digest, cursor in contacts.values_list("proxy_id", "sets_digest", "flags_cursor")
        }
        for proxy_id, proxy in proxies.items():
            version = versions.get(proxy_id, ())
            kept = self._pictures.get(proxy_id)
            if kept is None or not version or kept.version != version:
                self._pictures[proxy_id] = _picture(proxy_id, proxy.partition, version)
        return {proxy_id: self._pictures[proxy_id] for proxy_id in proxies}

    def _with_silences(
        self, down: dict[Key, Down], pictures: Mapping[int, MemoryPicture], now: datetime
    ) -> dict[Key, Down]:
        # Read last: what takes a destination out on purpose is stored before any list shows that it is out.
        if any(each.state in {Condition.INACTIVE, Condition.SET} for each in down.values()):
            versions = {proxy_id: each.version for proxy_id, each in pictures.items()}
            key = (now, versions) if all(versions.values()) else None
            if key is None or self._silences[0] != key:
                self._silences = (key, silenced(now))
            down = _with_reasons(down, self._silences[1])
        if not down:
            return down
        return _silenced_by_people(down, now)

    def _differing(self, proxies: Mapping[int, Proxy], now: datetime) -> dict[Key, Down]:
        read_at, found = self._drift
        if read_at is None or not timedelta() <= now - read_at < DRIFT_EVERY:
            found = _drift(now)
            self._drift = (now, found)
        return {key: each for key, each in found.items() if key[0] in proxies}


def _proxies(rule: NotificationRule) -> list[Proxy]:
    chosen = list(rule.proxies.all())
    return [each for each in chosen or Proxy.objects.all() if each.enabled]


def _picture(proxy_id: int, partition: str, version: tuple[str, ...]) -> MemoryPicture:
    rows = list(
        KnownDestination.objects.filter(proxy=proxy_id, partition=partition).values_list(
            "setid", "uri_key", "uri", "state", "since", "occurrence"
        )
    )
    down = tuple(row[:5] for row in rows if row[3] != KnownState.ACTIVE and not row[5])
    hosts = {_host_of(row[1]) for row in down}
    active_hosts: dict[int, Counter[str]] = defaultdict(Counter)
    sets: dict[int, tuple[int, int, datetime, datetime | None]] = {}
    for setid, uri_key, _uri, state, since, _occurrence in rows:
        is_active = state == KnownState.ACTIVE
        active, total, last, last_down = sets.get(setid, (0, 0, since, None))
        if not is_active:
            last_down = max(last_down or since, since)
        sets[setid] = (active + is_active, total + 1, max(last, since), last_down)
        if is_active and hosts and (host := _host_of(uri_key)) in hosts:
            active_hosts[setid][host] += 1
    counts = {
        setid: SetCount(active, total, last_down or last)
        for setid, (active, total, last, last_down) in sets.items()
    }
    return MemoryPicture(version, down, counts, active_hosts)


def _destinations(
    rule: NotificationRule, proxy_id: int, partition: str, picture: MemoryPicture
) -> dict[Key, Down]:
    return {
        (proxy_id, partition, setid, key): Down(uri, state, since)
        for setid, key, uri, state, since in picture.down
        if state in rule.states and (not rule.setids or setid in rule.setids)
    }


def _small_sets(
    rule: NotificationRule, proxy_id: int, partition: str, picture: MemoryPicture
) -> dict[Key, Down]:
    """Sets with too few active destinations, since the last of them went down."""
    found: dict[Key, Down] = {}
    for setid, each in picture.sets.items():
        needed = max(rule.min_active, -(-each.total * rule.min_share // 100))
        if each.active < needed and (not rule.setids or setid in rule.setids):
            found[proxy_id, partition, setid, ""] = Down(
                "",
                Condition.SET,
                each.last_down,
                needed - each.active,
                detail=f"{each.active} of {each.total} active",
            )
    return found


def _active_hosts(rule: NotificationRule, pictures: Mapping[int, MemoryPicture]) -> dict[int, Counter[str]]:
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for proxy_id, picture in pictures.items():
        for setid, hosts in picture.active_hosts.items():
            if not rule.setids or setid in rule.setids:
                found[proxy_id].update(hosts)
    return found


def _gone(
    rule: NotificationRule,
    proxies: Mapping[int, Proxy],
    pictures: Mapping[int, MemoryPicture],
    now: datetime,
) -> dict[Key, Down]:
    """What vanished from a proxy's memory lately and did not come back: destinations, and whole sets."""
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
    found: dict[Key, Down] = {}
    for proxy_id, partition, setid, key, uri, at in rows[:MAX_DOWN]:
        if proxies[proxy_id].partition != partition:
            continue
        if Condition.ABSENT in rule.states:
            found[proxy_id, partition, setid, key] = Down(uri, Condition.ABSENT, at)
        if Condition.EMPTY in rule.states and setid not in pictures[proxy_id].sets:
            found[proxy_id, partition, setid, ""] = Down("", Condition.EMPTY, at)
    return found


def _of_proxies(rule: NotificationRule, proxies: Mapping[int, Proxy], now: datetime) -> dict[Key, Down]:
    found: dict[Key, Down] = {}
    if {Condition.PROXY, Condition.RESTART} & set(rule.states):
        contacts = ProxyContact.objects.filter(proxy__in=proxies)
        rows = contacts.values_list("proxy_id", "failing_since", "up_since", "known_since", "error")
        for proxy_id, failing_since, up_since, known_since, error in rows:
            place = (proxy_id, proxies[proxy_id].partition, Outage.NO_SET)
            if Condition.PROXY in rule.states and failing_since:
                found[*place, ""] = Down("", Condition.PROXY, failing_since, detail=error)
            restarted = up_since and known_since and known_since < up_since > now - RESTART_SHOWN
            if Condition.RESTART in rule.states and up_since and restarted:
                found[*place, "restart"] = Down("", Condition.RESTART, up_since)
    if Condition.RELOAD in rule.states:
        for load in ProxyLoad.objects.filter(Q(discarded__gt=0) | ~Q(failed_at=None), proxy__in=proxies):
            if load.failed_at:
                since, detail = load.failed_at, f"{load.module}: the last reload failed"
            else:
                since, detail = load.started_at or now, f"{load.module}: {load.discarded:,} rows discarded"
            key = (load.proxy_id, load.partition, Outage.NO_SET, f"reload {load.module}")
            found[key] = Down("", Condition.RELOAD, since, detail=detail)
    return found


def _drift(now: datetime) -> dict[Key, Down]:
    found: dict[Key, Down] = {}
    for each in compare(watched_proxies(now=now)):
        if not each.is_compared:
            continue
        proxy = each.watched.proxy
        counts = (
            (each.added.count, "to add"),
            (each.changed.count, "to change"),
            (each.removed.count, "to remove"),
        )
        detail = ", ".join(f"{count:,} {word}" for count, word in counts if count)
        if detail:
            key = (proxy.pk, proxy.partition, Outage.NO_SET, "drift")
            found[key] = Down("", Condition.DRIFT, now, detail=detail)
    return found


def _stopped(now: datetime) -> dict[Key, Down]:
    return {
        (None, "", Outage.NO_SET, name): Down(name, Condition.PANEL, since, detail=f"The {name} has stopped")
        for name, since in stopped_processes(now).items()
    }


def _with_reasons(down: Mapping[Key, Down], silences: Mapping[Key, str]) -> dict[Key, Down]:
    """The same, each with its silence; a set is silent where what is out on purpose is all that it lacks."""
    of_sets: dict[tuple[int | None, str, int], list[str]] = defaultdict(list)
    for key, reason in silences.items():
        of_sets[key[:3]].append(reason)

    def silence(key: Key, each: Down) -> str:
        if each.state != Condition.SET:
            return silences.get(key, "")
        reasons = of_sets[key[:3]]
        return reasons[0] if len(reasons) >= each.missing else ""

    return {key: replace(each, silence=silence(key, each)) for key, each in down.items()}


def _silenced_by_people(down: Mapping[Key, Down], now: datetime) -> dict[Key, Down]:
    silences = list(Silence.objects.filter(begins_at__lte=now, ends_at__gt=now)[:1000])

    def reason(key: Key) -> str:
        for each in silences:
            fits = (
                each.proxy_id in (None, key[0])
                and each.setid in (None, key[2])
                and each.uri_key in ("", key[3])
            )
            if fits:
                return f"{each.reason} (silenced by {each.actor})"[:255]
        return ""

    if not silences:
        return dict(down)
    return {key: each if each.silence else replace(each, silence=reason(key)) for key, each in down.items()}
