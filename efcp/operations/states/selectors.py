"""What setting a state would do."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F

from dispatcher.models import Destination
from dispatcher.selectors import set_names
from efcp.proxies.models import KnownDestination, Proxy, State
from efcp.proxies.selectors import WatchedProxy, live_states
from efcp.sip.uri import UriError, parse, uri_key

MOST_AT_ONCE = 200
_MOST_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows that were chosen, at most MOST_AT_ONCE of `total`."""

    rows: tuple[Destination, ...]
    total: int

    @property
    def unshown(self) -> int:
        """How many rows were asked for beyond those that can be set at once."""
        return self.total - len(self.rows)


@dataclass(frozen=True, slots=True)
class StateOnProxy:
    """The state of a destination on one proxy, as last read.

    It is "absent" where the proxy does not hold it, "unknown" where nothing is known of the proxy's memory.
    """

    proxy: Proxy
    state: str
    is_fresh: bool

    @property
    def word(self) -> str:
        """The state as a word for people."""
        return "Not in memory" if self.state == "absent" else self.state.capitalize()


@dataclass(frozen=True, slots=True)
class ChosenLine:
    """A chosen row with its state on every proxy.

    `is_ambiguous` where a proxy holds several destinations of its set and URI: the first is changed.
    """

    row: Destination
    states: tuple[StateOnProxy, ...]
    is_ambiguous: bool


@dataclass(frozen=True, slots=True)
class EmptiedSet:
    """A set of which nothing would take calls on a proxy any more."""

    setid: int
    proxy: Proxy
    name: str = ""


def rows_by_id(ids: Sequence[str]) -> Chosen:
    """The rows of these ids, whatever else stands among them."""
    numbers = {int(text) for text in ids if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS}
    return _chosen(list(Destination.objects.filter(pk__in=numbers).values_list("pk", flat=True)))


def rows_asked_for(setid: str, host: str) -> Chosen:
    """All rows of a set, all whose URI names a host, or those of both; none where neither is given."""
    near = Destination.objects.order_by("setid", "-priority", "id")
    if setid:
        if not (setid.isascii() and setid.isdigit() and len(setid) <= _MOST_DIGITS):
            return Chosen((), 0)
        near = near.filter(setid=int(setid))
    if host:
        near = near.filter(destination__icontains=host)
    if not setid and not host:
        return Chosen((), 0)
    found = near.values_list("pk", "destination")
    return _chosen([pk for pk, uri in found if not host or host_of(uri) == host.lower()])


def host_of(uri: str) -> str:
    """The host of a SIP URI in lower case, empty for a text that is none."""
    try:
        return parse(uri).host.lower()
    except UriError:
        return ""


def chosen_lines(rows: Sequence[Destination], watched: Sequence[WatchedProxy]) -> list[ChosenLine]:
    """The rows with their states on these proxies, in one query."""
    held = live_states((row.setid, uri_key(row.destination)) for row in rows)
    lines = []
    for row in rows:
        on_proxies = held.get((row.setid, uri_key(row.destination)), {})
        states = tuple(
            StateOnProxy(each.proxy, _state_on(each, on_proxies.get(each.proxy.pk, ())), each.fresh)
            for each in watched
        )
        lines.append(ChosenLine(row, states, any(len(found) > 1 for found in on_proxies.values())))
    return lines


def emptied_sets(rows: Sequence[Destination], proxies: Sequence[Proxy]) -> list[EmptiedSet]:
    """The sets that would have no active destination on a proxy if none of `rows` were active there."""
    changed = {(row.setid, uri_key(row.destination), 0) for row in rows}
    active = KnownDestination.objects.filter(
        proxy__in=proxies,
        partition=F("proxy__partition"),
        setid__in={row.setid for row in rows},
        state=State.ACTIVE,
    ).values_list("proxy_id", "setid", "uri_key", "occurrence")
    held = {(proxy_id, setid) for proxy_id, setid, _key, _occurrence in active}
    left = {(proxy_id, setid) for proxy_id, setid, *which in active if (setid, *which) not in changed}
    names = set_names()
    return [
        EmptiedSet(setid, proxy, names.get(setid, ""))
        for proxy in proxies
        for proxy_id, setid in sorted(held - left)
        if proxy_id == proxy.pk
    ]


def _state_on(each: WatchedProxy, held: Sequence[KnownDestination]) -> str:
    return _first_state(held) or ("unknown" if each.contact.asked_at is None else "absent")


def _first_state(held: Sequence[KnownDestination]) -> str:
    """The state of the destination that ds_set_state changes, empty where there is none."""
    return held[0].state if held else ""


def _chosen(ids: Sequence[int]) -> Chosen:
    rows = Destination.objects.filter(pk__in=ids[:MOST_AT_ONCE]).order_by("setid", "-priority", "id")
    return Chosen(tuple(rows), len(ids))
