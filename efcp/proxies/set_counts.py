"""How many destinations of each set take calls, by proxy: the counts of the list, the board and the metrics.

A count names its proxies. Where they differ, the worst comes first; what is not known now is counted apart.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from django.db import connection

from efcp.proxies.models import KnownState
from efcp.proxies.probing import Check, check_of
from efcp.proxies.selectors import WatchedProxy

NAMES_SHOWN = 3


class Service(IntEnum):
    """How a proxy serves a set, the worst first."""

    DOWN = 0
    """It holds the set, and no destination takes calls."""
    IMPAIRED = 1
    """Some destinations take no calls."""
    UNKNOWN = 2
    """The proxy does not answer now, or never did."""
    ABSENT = 3
    """It does not hold the set."""
    FULL = 4


_LOOKS = {
    Service.DOWN: "bad",
    Service.IMPAIRED: "probing",
    Service.UNKNOWN: "unknown",
    Service.ABSENT: "absent",
    Service.FULL: "active",
}


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many destinations are in one state, and the sum of their weights as far as they are known.

    `checks` counts them by whether they are probed, known of active ones only.
    """

    count: int = 0
    weight: int = 0
    checks: Mapping[Check, int] = field(default_factory=dict)

    def with_more(self, count: int, weight: int, check: Check) -> "StateCount":
        """The sum with `count` more destinations."""
        checks = {**self.checks, check: self.checks.get(check, 0) + count}
        return StateCount(self.count + count, self.weight + weight, checks)


@dataclass(frozen=True, slots=True)
class SetOnProxy:
    """What one proxy holds of a set, by state, as last read."""

    watched: WatchedProxy
    states: Mapping[str, StateCount]

    @property
    def proxy(self) -> str:
        """The proxy's name."""
        return self.watched.proxy.name

    @property
    def loaded(self) -> int:
        """How many destinations it holds."""
        return sum(each.count for each in self.states.values())

    @property
    def active(self) -> int:
        """How many of them take calls."""
        return self.count_of(KnownState.ACTIVE)

    @property
    def fresh(self) -> bool:
        """Whether the proxy answers."""
        return self.watched.fresh

    @property
    def service(self) -> Service:
        """How it serves the set now; nothing is known of a proxy that does not answer."""
        if not self.fresh:
            return Service.UNKNOWN
        if not self.loaded:
            return Service.ABSENT
        if self.active == self.loaded:
            return Service.FULL
        return Service.IMPAIRED if self.active else Service.DOWN

    @property
    def words(self) -> str:
        """The numbers for people, without the proxy's name."""
        if not self.watched.known:
            return "unknown"
        if not self.fresh:
            return (
                f"last known: {self.active:,} of {self.loaded:,}" if self.loaded else "last known: not loaded"
            )
        if not self.loaded:
            return "not loaded"
        return f"{self.active:,} of {self.loaded:,}{self.checks_words}"

    @property
    def checks(self) -> Mapping[Check, int]:
        """How many of the active ones are checked, never checked, or not known to be."""
        return self.states.get(KnownState.ACTIVE, StateCount()).checks

    @property
    def checks_words(self) -> str:
        """The same for people, in brackets; empty where none is active."""
        found = [(check, self.checks.get(check, 0)) for check in Check]
        parts = [f"{count} {check.value}" for check, count in found if count]
        if len(parts) == 1:
            check = next(check for check, count in found if count)
            return f" ({check.value})"
        return f" ({', '.join(parts)})" if parts else ""

    @property
    def chip(self) -> str:
        """The look of a chip for it; in full is plain green only where every destination is checked."""
        if self.service is Service.FULL and set(self.checks) - {Check.CHECKED}:
            return "active chip-unchecked" if Check.UNCHECKED in self.checks else "active chip-maybe-checked"
        return _LOOKS[self.service]

    def count_of(self, state: str) -> int:
        """How many are in `state`."""
        return self.states.get(state, StateCount()).count


@dataclass(frozen=True, slots=True)
class SameCount:
    """Proxies that report the same of a set."""

    members: tuple[SetOnProxy, ...]

    @property
    def first(self) -> SetOnProxy:
        """One of them."""
        return self.members[0]

    @property
    def names(self) -> str:
        """Whom it speaks of."""
        return listed_names([each.proxy for each in self.members])

    @property
    def words(self) -> str:
        """What they report, as a sentence's beginning."""
        first = self.first
        if not first.watched.known:
            return f"Unknown on {self.names}"
        if not first.loaded:
            return f"Not loaded on {self.names}" if first.fresh else f"Last known: not loaded on {self.names}"
        if first.fresh and not first.active:
            return f"No active destination on {self.names} (0 of {first.loaded:,})"
        begin = "" if first.fresh else "Last known: "
        checks = first.checks_words if first.fresh else ""
        return f"{begin}{first.active:,} of {first.loaded:,} active on {self.names}{checks}"


def listed_names(names: Sequence[str]) -> str:
    """At most NAMES_SHOWN names, and how many further ones there are."""
    shown = ", ".join(names[:NAMES_SHOWN])
    further = len(names) - NAMES_SHOWN
    return f"{shown} and {further} more" if further > 0 else shown


def set_counts(
    watched: Sequence[WatchedProxy], setids: Iterable[int] | None = None
) -> dict[int, tuple[SetOnProxy, ...]]:
    """By set, what each of these proxies holds of it: those that some proxy holds, or `setids`. One query."""
    chosen = None if setids is None else sorted(set(setids))
    found: dict[int, dict[int, dict[str, StateCount]]] = defaultdict(lambda: defaultdict(dict))
    by_id = {each.proxy.pk: each for each in watched}
    for setid, proxy_id, partition, state, mode, always, count, weight in _counted(list(by_id), chosen):
        if by_id[proxy_id].proxy.partition == partition:
            known = found[setid][proxy_id].get(state, StateCount())
            check = check_of(by_id[proxy_id], mode, bool(always))
            found[setid][proxy_id][state] = known.with_more(count, int(weight or 0), check)
    return {
        setid: tuple(SetOnProxy(each, found[setid].get(each.proxy.pk, {})) for each in watched)
        for setid in (list(found) if chosen is None else chosen)
    }


def _counted(proxy_ids: Sequence[int], setids: Sequence[int] | None) -> Sequence[tuple[Any, ...]]:
    """Written out, since the ORM takes longer to build it than the database to answer for a page of sets."""
    if not proxy_ids or setids == []:
        return []
    columns = "k.setid, k.proxy_id, k.`partition`, k.state, k.probe_mode, k.always_probed"
    conditions = f"k.proxy_id IN ({', '.join(['%s'] * len(proxy_ids))})"
    if setids is not None:
        conditions += f" AND k.setid IN ({', '.join(['%s'] * len(setids))})"
    sql = (
        f"SELECT {columns}, COUNT(*), SUM(k.weight) FROM efcp_known_destination k"  # noqa: S608 - no values
        f" WHERE {conditions} GROUP BY {columns} ORDER BY k.setid"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*proxy_ids, *(setids or ())])
        rows: Sequence[tuple[Any, ...]] = cursor.fetchall()
    return rows


def same_counts(on_proxies: Iterable[SetOnProxy]) -> tuple[SameCount, ...]:
    """The proxies grouped by what they report, the worst first."""
    groups: dict[tuple[int, int, int, str], list[SetOnProxy]] = defaultdict(list)
    for each in on_proxies:
        groups[each.service, each.active, -each.loaded, each.words].append(each)
    return tuple(SameCount(tuple(groups[key])) for key in sorted(groups))
