"""Reading what is known of proxies: contact, freshness, live states. No page asks a proxy itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F, FilteredRelation, Q, QuerySet, Subquery
from django.db.models.expressions import BaseExpression
from django.utils import timezone

from efcp.database.compiled import CompiledQuery, ModelColumns
from efcp.proxies.load_reports import LastLoad
from efcp.proxies.loads import LAST_LOAD
from efcp.proxies.models import (
    KnownDestination,
    Proxy,
    ProxyContact,
    StateChange,
    TryOutcome,
    WatcherHeartbeat,
)

FRESH_FOR = timedelta(seconds=10)
"""Beside the proxy's own interval: how old the last good answer may be, where no later try failed."""

MIXED_FOR = timedelta(seconds=60)
"""How long an address counts as that of several proxies after the last answer that shows it."""

PAIRS_AT_ONCE = 500
"""Destinations asked for in one query: SQLite takes no more than 1,000 conditions joined by OR."""

WATCHER_SILENT_AFTER = timedelta(seconds=15)

LiveStates = dict[tuple[int, str], dict[int, tuple[KnownDestination, ...]]]
"""By (set, URI key), then by proxy id: the destinations of that identity in the proxy's order."""


class Freshness(Enum):
    """Whether what is known of a proxy's memory is its memory now."""

    LIVE = "live"
    SILENT = "silent"
    """The last try failed, or the last good answer is too old."""
    NEVER_ANSWERED = "never seen"
    UNWATCHED = "unwatched"
    """Nobody asks: the watcher does not run."""
    DISABLED = "disabled"
    MIXED = "mixed"
    """Several proxies answer at its address in turn, so that no list is this proxy's for sure."""


@dataclass(frozen=True, slots=True)
class WatchedProxy:
    """A proxy, what its last contact was, and how fresh that is at the moment `now`.

    `load` is its last known load of the dispatcher's table.
    """

    proxy: Proxy
    contact: ProxyContact
    freshness: Freshness
    now: datetime
    load: LastLoad | None = None

    @property
    def fresh(self) -> bool:
        """Whether the stored memory may be shown as the live one."""
        return self.freshness is Freshness.LIVE

    @property
    def answered_at(self) -> datetime | None:
        """When the proxy last gave a good answer."""
        return self.contact.answered_at

    @property
    def known(self) -> bool:
        """Whether the proxy ever listed its memory; otherwise its memory is unknown."""
        return self.contact.answered_at is not None

    @property
    def marked_name(self) -> str:
        """Its name, with a mark where what is known of its memory is not its memory now."""
        return self.proxy.name if self.fresh else f"{self.proxy.name} (last known)"

    @property
    def words(self) -> str:
        """What the proxy does, as the end of a sentence that begins with its name."""
        match self.freshness:
            case Freshness.LIVE:
                return "answers"
            case Freshness.DISABLED:
                return "is disabled"
            case Freshness.MIXED:
                return "answers for several proxies in turn"
            case Freshness.UNWATCHED:
                return (
                    "is not watched" if self.silent_since is None else "does not respond and is not watched"
                )
        outcome = TryOutcome(self.contact.outcome)
        if self.silent_since is not None and outcome not in {TryOutcome.NONE, TryOutcome.ANSWERED}:
            return outcome.label
        return "does not answer" if self.known or self.silent_since else "has not been contacted yet"

    @property
    def silent_since(self) -> datetime | None:
        """Since when it does not answer, None while it does."""
        return self.contact.failing_since


# Put together once: every page reads it, and building it takes as long as reading.
_DISPATCHER_LOAD = FilteredRelation(
    "loads", condition=Q(loads__module="dispatcher", loads__partition=F("partition"))
)
_WATCHED = (
    Proxy.objects.select_related("contact")
    .annotate(
        beat_at=Subquery(WatcherHeartbeat.objects.filter(pk=1).values("beat_at")),
        dispatcher_load=_DISPATCHER_LOAD,
    )
    .annotate(**{f"load_{field}": F(f"dispatcher_load__{field}") for field in ("pk", *LAST_LOAD)})
)


@cache
def _compiled(*, enabled_only: bool, marks: tuple[tuple[str, BaseExpression], ...]) -> CompiledQuery[Proxy]:
    proxies = _WATCHED.filter(enabled=True) if enabled_only else _WATCHED.all()
    return CompiledQuery(proxies.annotate(**dict(marks)))


def silent_proxies(watched: Iterable[WatchedProxy]) -> tuple[WatchedProxy, ...]:
    """Those that do not answer now, or never did: of their memory nothing is known now."""
    return tuple(each for each in watched if not each.fresh)


def watched_proxies(
    *,
    enabled_only: bool = True,
    now: datetime | None = None,
    marks: Mapping[str, BaseExpression] | None = None,
) -> tuple[WatchedProxy, ...]:
    """Proxies by name with their contact and freshness, in one query.

    `marks` are read along with them, as attributes of each `proxy`.
    """
    moment = now or timezone.now()
    proxies = _compiled(enabled_only=enabled_only, marks=tuple((marks or {}).items()))
    return tuple(_watched(proxy, proxy.beat_at, moment) for proxy in proxies)


def proxies_for_all() -> QuerySet[Proxy]:
    """The proxies that "all proxies" means: the enabled ones, and the sandbox only in the trial."""
    enabled = Proxy.objects.filter(enabled=True)
    return enabled if settings.SANDBOX_IS_PART_OF_ALL else enabled.filter(is_sandbox=False)


# Written out, since the ORM takes longer to put a condition of so many parts together than the database to
# answer. The addresses are left out: they are the widest column, and no state needs them.
_KNOWN = ModelColumns(KnownDestination, "k", without=("addresses",))
_KNOWN_OF_ENABLED = (
    f"SELECT {_KNOWN.sql} FROM efcp_known_destination k"  # noqa: S608 - our own column names
    " JOIN efcp_proxy p ON p.id = k.proxy_id AND p.`partition` = k.`partition` AND p.enabled"
)


def live_states(pairs: Iterable[tuple[int, str]]) -> LiveStates:
    """What the enabled proxies hold of these (set, URI key) pairs, in one query for each PAIRS_AT_ONCE.

    A proxy that holds none of a pair's destinations is absent from it. Whether a proxy's states may be shown
    as live is decided by `watched_proxies`.
    """
    distinct = sorted(set(pairs))
    found: LiveStates = {}
    for start in range(0, len(distinct), PAIRS_AT_ONCE):
        for known in _known_of(distinct[start : start + PAIRS_AT_ONCE]):
            by_proxy = found.setdefault((known.setid, known.uri_key), {})
            by_proxy[known.proxy_id] = (*by_proxy.get(known.proxy_id, ()), known)
    return found


def _known_of(pairs: Iterable[tuple[int, str]]) -> list[KnownDestination]:
    """What the enabled proxies hold of these pairs, by proxy and occurrence."""
    keys_by_set: dict[int, set[str]] = {}
    for setid, uri_key in pairs:
        keys_by_set.setdefault(setid, set()).add(uri_key)
    either = " OR ".join(
        f"(k.setid = %s AND k.uri_key IN ({', '.join(['%s'] * len(keys))}))" for keys in keys_by_set.values()
    )
    parameters: list[int | str] = []
    for setid, keys in keys_by_set.items():
        parameters += [setid, *keys]
    with connection.cursor() as cursor:
        cursor.execute(f"{_KNOWN_OF_ENABLED} WHERE {either}", parameters)
        known = map(_KNOWN.instance, cursor.fetchall())
    return sorted(known, key=lambda each: (each.proxy_id, each.occurrence))


def state_changes(setid: int, uri_key: str, limit: int = 50) -> list[StateChange]:
    """The last `limit` changes of a destination on all proxies, the newest first."""
    changes = StateChange.objects.filter(proxy__in=Proxy.objects.all(), setid=setid, uri_key=uri_key)
    return list(changes.select_related("proxy").order_by("-at", "-pk")[:limit])


@dataclass(frozen=True, slots=True)
class DeletionEffect:
    """What is deleted with a proxy's row."""

    destinations: int
    changes: int


def deletion_effect(proxy: Proxy) -> DeletionEffect:
    """What would be deleted with `proxy`."""
    return DeletionEffect(proxy.destinations.count(), proxy.changes.count())


def watcher_is_silent(now: datetime | None = None) -> bool:
    """Whether the watcher does not run (or can't write): then every state shown is old."""
    return _is_silent(watcher_beat_at(), now or timezone.now())


def watcher_beat_at() -> datetime | None:
    """When the leading watcher last showed that it runs; None where none ever did."""
    return WatcherHeartbeat.objects.filter(pk=1).values_list("beat_at", flat=True).first()


def _watched(proxy: Proxy, beat_at: datetime | None, now: datetime) -> WatchedProxy:
    contact = getattr(proxy, "contact", None) or ProxyContact(proxy=proxy)
    return WatchedProxy(proxy, contact, _freshness(proxy, contact, beat_at, now), now, _load(proxy))


def _load(proxy: Any) -> LastLoad | None:
    """The load that `_WATCHED` read with the proxy."""
    if proxy.load_pk is None:
        return None
    return LastLoad(*(getattr(proxy, f"load_{field}") for field in LAST_LOAD))


def _freshness(proxy: Proxy, contact: ProxyContact, beat_at: datetime | None, now: datetime) -> Freshness:
    if not proxy.enabled:
        return Freshness.DISABLED
    if contact.mixed_at is not None and abs(now - contact.mixed_at) <= MIXED_FOR:
        return Freshness.MIXED
    limit = FRESH_FOR + timedelta(seconds=contact.interval_s)
    is_failing = contact.failing_since is not None
    if contact.answered_at is not None and not is_failing and abs(now - contact.answered_at) <= limit:
        return Freshness.LIVE
    if _is_silent(beat_at, now):
        return Freshness.UNWATCHED
    return Freshness.NEVER_ANSWERED if contact.answered_at is None else Freshness.SILENT


def _is_silent(beat_at: datetime | None, now: datetime) -> bool:
    return beat_at is None or now - beat_at > WATCHER_SILENT_AFTER
