"""What a reload would make of destinations whose names resolve otherwise now, or not at all.

The addresses that a proxy lists are those of its last load; it knows by them who sends (ds_is_in_list). Calls
and probes look it up again: observed on 3.4, 3.6 and 4.0, where a call to a name that is gone ends with 476
while the destination stays active. The next reload drops it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatcher.change import Change, Changes
from dispatcher.drift import ColumnDifference
from dispatcher.loaded import ROW_ID
from dispatcher.names import Outcome
from dispatcher.table_names import NameState, TableNames
from efcp.proxies.models import KnownDestination, KnownState
from efcp.proxies.selectors import WatchedProxy
from efcp.sip.address import ipv6

_KEPT_ADDRESSES = 32
"""A proxy keeps no more addresses of one name (resolve.c)."""

_AT_ONCE = 500
_SHOWN_ADDRESSES = 4

Identity = tuple[int, str, int]
Rows = Mapping[Identity, tuple[Any, ...]]
"""The table's rows by identity, as tuples with DestinationRow's columns."""


@dataclass(frozen=True, slots=True)
class NameChanges:
    """Of the destinations that one proxy holds and the table has.

    `dropped` by the next reload, since their names do not resolve; `doubtful`, since no answer came about
    theirs; `moved` to other addresses. `losses` counts those of the first two that take calls now.
    """

    dropped: Changes = field(default_factory=Changes)
    doubtful: Changes = field(default_factory=Changes)
    moved: Changes = field(default_factory=Changes)
    losses: int = 0


def name_changes(each: WatchedProxy, rows: Rows, names: TableNames) -> NameChanges:
    """What the next reload of `each` would make of the names in `rows`."""
    if not names.by_key:
        return NameChanges()
    dropped: list[Change] = []
    doubtful: list[Change] = []
    moved: list[Change] = []
    for identity, uri, state, addresses in _listed(each, names):
        row = rows.get(identity)
        if row is None:
            continue
        name = names.by_key[identity[1]]
        takes_calls = state == KnownState.ACTIVE
        if name.outcome is Outcome.NO_SUCH_NAME:
            why = f"{name.host} does not resolve here: a reload drops the destination."
            dropped.append(Change(row[ROW_ID], identity[0], uri, why=why, takes_calls=takes_calls))
        elif name.outcome is Outcome.NO_ANSWER:
            why = f"No DNS answer for {name.host} here: a proxy that gets none either drops the destination."
            doubtful.append(Change(row[ROW_ID], identity[0], uri, why=why, takes_calls=takes_calls))
        elif name.outcome is Outcome.FOUND and has_moved(addresses, name.addresses):
            moved.append(Change(row[ROW_ID], identity[0], uri, (_difference(addresses, name),)))
    losses = sum(change.takes_calls for change in (*dropped, *doubtful))
    return NameChanges(Changes.of(dropped), Changes.of(doubtful), Changes.of(moved), losses)


def has_moved(listed: list[str] | tuple[str, ...], ours: list[str] | tuple[str, ...]) -> bool:
    """Whether a look-up of today gives other addresses than a proxy `listed` (with their ports).

    Only families that the proxy lists count: it asks for IPv4 alone unless dns_try_ipv6 is set. Of more
    than 32 addresses it keeps some.
    """
    theirs = {_host(address) for address in listed}
    families = {":" in address for address in theirs}
    here = {ipv6(address) or address for address in ours}
    comparable = {address for address in here if (":" in address) in families}
    if not theirs:
        return False
    if len(theirs) >= _KEPT_ADDRESSES or len(here) >= _KEPT_ADDRESSES:
        return not theirs & comparable
    return theirs != comparable


def addresses_text(addresses: list[str] | tuple[str, ...], count: int | None = None) -> str:
    """Addresses for people, the first few of many."""
    total = len(addresses) if count is None else count
    listed = ", ".join(addresses[:_SHOWN_ADDRESSES])
    return f"{listed} and {total - _SHOWN_ADDRESSES} more" if total > _SHOWN_ADDRESSES else listed


def _host(listed: str) -> str:
    """The address of `address:port`; IPv6 in the proxy's own notation."""
    host = listed.rpartition(":")[0].strip("[]")
    return ipv6(host) or host


def _difference(listed: list[str], name: NameState) -> ColumnDifference:
    ours = tuple(sorted(name.addresses))
    return ColumnDifference("addresses", addresses_text(ours), addresses_text(listed))


def _listed(each: WatchedProxy, names: TableNames) -> Iterator[tuple[Identity, str, str, list[str]]]:
    """Identity, URI, state and addresses of what the proxy holds of these names."""
    known = KnownDestination.objects.filter(proxy=each.proxy, partition=each.proxy.partition)
    if len(names.by_key) <= _AT_ONCE:
        known = known.filter(uri_key__in=list(names.by_key))
    columns = known.order_by("setid", "position").values_list(
        "setid", "uri_key", "occurrence", "uri", "state", "addresses"
    )
    for setid, key, occurrence, uri, state, addresses in columns:
        if key in names.by_key:
            yield (setid, key, occurrence), uri, state, addresses
