"""What setting a state would do, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dispatcher.models import Destination
from efcp.operations.models import StateOutcome, StateResult, StateRun
from efcp.operations.states.services import WATCH_FOR
from efcp.proxies.models import KnownDestination, Proxy, State
from efcp.proxies.selectors import live_states
from efcp.sip.uri import UriError, parse, uri_key

MOST_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class EmptiedSet:
    """A set of which nothing would take calls on a proxy any more."""

    setid: int
    proxy: Proxy


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One result, with the state that is known now; `turned_back` after a late answer to a probe."""

    result: StateResult
    outcome: StateOutcome
    state_now: str
    turned_back: bool


def chosen_rows(ids: Sequence[str], setid: str, host: str) -> list[Destination]:
    """The rows that were chosen: by id, or all of a set, or all on one host across sets (at most 200)."""
    rows = Destination.objects.order_by("setid", "-priority", "id")
    if ids:
        numbers = [int(text) for text in ids[:MOST_AT_ONCE] if text.isascii() and text.isdigit()]
        return list(rows.filter(pk__in=numbers))
    if host:
        near = rows.filter(destination__icontains=host)[: MOST_AT_ONCE * 5]
        return [row for row in near if host_of(row.destination) == host.lower()][:MOST_AT_ONCE]
    if setid.isascii() and setid.isdigit():
        return list(rows.filter(setid=int(setid))[:MOST_AT_ONCE])
    return []


def host_of(uri: str) -> str:
    """The host of a SIP URI in lower case, empty for a text that is none."""
    try:
        return parse(uri).host.lower()
    except UriError:
        return ""


def emptied_sets(rows: Sequence[Destination], proxies: Sequence[Proxy]) -> list[EmptiedSet]:
    """The sets that would have no active destination on a proxy if none of `rows` were active there."""
    chosen = {(row.setid, uri_key(row.destination)) for row in rows}
    setids = {row.setid for row in rows}
    emptied: list[EmptiedSet] = []
    for proxy in proxies:
        known = KnownDestination.objects.filter(
            proxy=proxy, partition=proxy.partition, setid__in=setids, state=State.ACTIVE
        ).values_list("setid", "uri_key")
        active = set(known)
        held = {setid for setid, _key in active}
        left = {setid for setid, key in active if (setid, key) not in chosen}
        emptied.extend(EmptiedSet(setid, proxy) for setid in sorted(held - left))
    return emptied


def result_lines(run: StateRun, now: datetime) -> list[ResultLine]:
    """The results of a run with what is known of each destination now."""
    results = list(run.results.select_related("proxy"))
    held = live_states((result.setid, uri_key(result.uri)) for result in results)
    lines = []
    for result in results:
        here = held.get((result.setid, uri_key(result.uri)), {}).get(result.proxy_id, ())
        state_now = here[0].state if here else ""
        set_inactive = run.state == State.INACTIVE and result.state_after == State.INACTIVE
        lines.append(
            ResultLine(
                result,
                result.known_outcome(now),
                state_now,
                turned_back=set_inactive
                and state_now == State.ACTIVE
                and now <= run.started_at + 2 * WATCH_FOR,
            )
        )
    return lines


def is_open(run: StateRun, lines: Sequence[ResultLine], now: datetime) -> bool:
    """Whether something may still come: an answer, or the late answer to a probe."""
    if any(line.outcome is StateOutcome.WAITING for line in lines):
        return True
    return run.state == State.INACTIVE and now <= run.started_at + WATCH_FOR


def held_states(row: Destination) -> dict[int, Sequence[KnownDestination]]:
    """What each proxy holds of a row, by proxy id."""
    found = live_states([(row.setid, uri_key(row.destination))])
    return dict(found.get((row.setid, uri_key(row.destination)), {}))
