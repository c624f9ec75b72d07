"""Finding destinations by host or resolved address, across sets and ports, in the table and in memory."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import F, Q, QuerySet, TextField
from django.db.models.functions import Cast

from dispatcher.models import Destination
from efcp.operations.states.selectors import LONGEST_URI, MOST_AT_ONCE, Chosen, Identity, number_in
from efcp.proxies.models import KnownDestination
from efcp.sip.address import ipv4, ipv6
from efcp.sip.uri import host_of, uri_key

MOST_READ = 100_000
"""Rows read of each table for one answer."""

MOST_SEARCHED = 10_000
"""Destinations looked through for suggestions, of the memory and of the table."""

MOST_SUGGESTED = 30
SHORTEST_SEARCH = 2


@dataclass(frozen=True, slots=True)
class HostQuery:
    """What is searched for: every part that is given has to match; without any nothing does.

    `host` is in lower case; `address` is numeric, as the proxy prints it; `setid` None means every set.
    """

    setid: int | None = None
    host: str = ""
    address: str = ""

    @classmethod
    def parse(cls, setid: str, host: str, address: str) -> "HostQuery | None":
        """The place of an address's parameters; None where one of them can't be meant, or none is given."""
        number, numeric = number_in(setid), numeric_address(address)
        if (setid and number is None) or (address and not numeric) or not (setid or host or address):
            return None
        return cls(number, host.strip().lower(), numeric)

    def holds(self, uri: str, addresses: Iterable[str] = ()) -> bool:
        """Whether a destination is at this place, ports aside; the set was compared before."""
        host = host_of(uri) if self.host or self.address else ""
        if self.host and host != self.host:
            return False
        return not self.address or self.address in _places(host, addresses)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A host or a resolved address, and how many destinations of how many sets are there."""

    text: str
    is_address: bool
    destinations: int
    sets: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Suggestions; `is_partial` where there was more than could be looked through or shown."""

    suggestions: tuple[Suggestion, ...] = ()
    is_partial: bool = False


def numeric_address(text: str) -> str:
    """The address in `text` as the proxy prints it, with or without brackets; empty for none."""
    return ipv4(text.strip()) or ipv6(text.strip()) or ""


def destinations_at(place: HostQuery | None) -> Chosen:
    """The rows at this place, then what only proxies hold there; at most MOST_AT_ONCE of them."""
    if place is None:
        return Chosen((), 0)
    in_memory = _in_memory_at(place)
    rows = [
        (pk, (setid, uri_key(uri)), uri)
        for pk, setid, uri in _rows_near(place, {setid for setid, _key in in_memory})
    ]
    in_table = {identity for _pk, identity, _uri in rows}
    ids = [pk for pk, identity, uri in rows if identity in in_memory or place.holds(uri)]
    extra = sorted(identity for identity in in_memory if identity not in in_table)
    shown = Destination.objects.filter(pk__in=ids[:MOST_AT_ONCE]).order_by("setid", "-priority", "id")
    memory_only = [Destination(setid=setid, destination=in_memory[setid, key]) for setid, key in extra]
    return Chosen((*shown, *memory_only)[:MOST_AT_ONCE], len(ids) + len(extra))


def suggestions(text: str) -> SearchResult:
    """Hosts and addresses that hold `text`, and the addresses of such hosts; exact ones first, then large."""
    needle = text.strip().lower()
    if len(needle) < SHORTEST_SEARCH:
        return SearchResult()
    needle = numeric_address(needle).lower() or needle
    hosts: dict[str, set[Identity]] = defaultdict(set)
    addresses: dict[str, set[Identity]] = defaultdict(set)
    in_memory, rows = _in_memory_near(needle), _named_near(needle)
    for setid, uri, listed in [*in_memory, *rows]:
        host, identity = host_of(uri), (setid, uri_key(uri))
        for place in _places(host, listed):
            if needle in place.lower() or needle in host:
                addresses[place].add(identity)
        if needle in host and not numeric_address(host):
            hosts[host].add(identity)
    found = [_suggestion(host, False, where) for host, where in hosts.items()]
    found += [_suggestion(address, True, where) for address, where in addresses.items()]
    found.sort(key=lambda each: (each.text.lower() != needle, -each.destinations, each.text))
    is_partial = MOST_SEARCHED in (len(in_memory), len(rows)) or len(found) > MOST_SUGGESTED
    return SearchResult(tuple(found[:MOST_SUGGESTED]), is_partial)


def _suggestion(text: str, is_address: bool, where: set[Identity]) -> Suggestion:
    return Suggestion(text, is_address, len(where), len({setid for setid, _key in where}))


def _places(host: str, listed: Iterable[str]) -> set[str]:
    """The numeric addresses of a destination: those that a proxy lists with ports, and a literal host."""
    found = {numeric_address(each.rpartition(":")[0]) for each in listed}
    return (found | {numeric_address(host)}) - {""}


def _in_memory() -> QuerySet[KnownDestination]:
    """What enabled proxies hold in the partition that the panel looks after."""
    return KnownDestination.objects.filter(proxy__enabled=True, partition=F("proxy__partition")).annotate(
        listed=Cast("addresses", TextField())
    )


def _in_memory_at(place: HostQuery) -> dict[Identity, str]:
    """The URIs that proxies hold at this place, by identity; but for those that no table can hold."""
    near = _in_memory()
    if place.setid is not None:
        near = near.filter(setid=place.setid)
    if place.host:
        near = near.filter(uri_key__icontains=place.host)
    if place.address:
        near = near.filter(Q(listed__icontains=place.address) | _literal("uri_key", place.address))
    found = near.order_by("setid", "uri_key").values_list("setid", "uri_key", "uri", "addresses")[:MOST_READ]
    return {
        (setid, key): uri
        for setid, key, uri, addresses in found
        if len(uri) <= LONGEST_URI and place.holds(uri, addresses)
    }


def _rows_near(place: HostQuery, sets: Iterable[int]) -> Iterable[tuple[int, int, str]]:
    """Id, set and URI of all rows that may be at this place, `sets` being those that proxies hold there."""
    near = Destination.objects.order_by("setid", "-priority", "id")
    if place.setid is not None:
        near = near.filter(setid=place.setid)
    if place.host:
        near = near.filter(destination__icontains=place.host)
    if place.address:
        near = near.filter(Q(setid__in=sets) | _literal("destination", place.address))
    return near.values_list("pk", "setid", "destination")[:MOST_READ]


def _literal(column: str, address: str) -> Q:
    """URIs that may name this address themselves; an IPv6 one is written in many ways."""
    text = "[" if ":" in address else address
    return Q(**{f"{column}__contains": text})


_Near = tuple[int, str, Sequence[str]]
"""Set, URI and listed addresses."""


def _in_memory_near(text: str) -> list[_Near]:
    """What proxies hold that may be on a host or address with `text`; once, however many hold the same."""
    near = Q(uri_key__icontains=text) | Q(listed__icontains=text)
    if ":" in text:
        near |= Q(uri_key__contains="[")
    in_memory = (
        _in_memory().filter(near).values_list("setid", "uri", Cast("addresses", TextField())).distinct()
    )
    return [(setid, uri, json.loads(listed)) for setid, uri, listed in in_memory[:MOST_SEARCHED]]


def _named_near(text: str) -> list[_Near]:
    """The table's rows that may be on such a host; they list no addresses."""
    near = Q(destination__icontains=text)
    if ":" in text:
        near |= Q(destination__contains="[")
    rows = Destination.objects.filter(near).values_list("setid", "destination")
    return [(setid, uri, ()) for setid, uri in rows[:MOST_SEARCHED]]
