"""What a batch of changes does to the call shares of sets, and what the check of its rows needs to know."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

from dispatcher.environment import known_sockets, not_looked_up, resolve
from dispatcher.routing.rows import DestinationRow
from dispatcher.shares import MAX_WEIGHT, number_of, percentage
from dispatcher.table import DESTINATIONS, SET_NAMES
from dispatcher.validation import FormEnvironment, SetOfRow
from efcp.editing.batch import RowChange, rows_after, stored_rows
from efcp.editing.findings import unstorable_characters
from efcp.figures import counted, percent_text
from efcp.proxies.selectors import live_states, watched_proxies
from efcp.sip.uri import uri_key

MAX_SETS = 20
MAX_SHARES = 10
"""Destinations of one set whose shares are listed, those with the largest moves first."""
MAX_LISTED = 2_000
"""Rows whose live state is looked up; of more the initial state counts."""
LOOKS_UP_FOR_S = 3.0
"""How long the names of a batch are looked up, all together; the others count as known."""

_OTHERS = SetOfRow(rows=3, weight=0, active=2)
"""Stands for the other rows of a set: what a batch does to sets is shown for all of its rows together."""

Key = tuple[int, str]


def batch_environment() -> FormEnvironment:
    """The environment of a form that checks many rows: what it needs is read once."""
    ends_at = time.monotonic() + LOOKS_UP_FOR_S

    @cache
    def resolve_in_time(host: str, port: int | None, transport: str) -> tuple[str, ...] | None:
        look_up = resolve if time.monotonic() < ends_at else not_looked_up
        return look_up(host, port, transport)

    return FormEnvironment(
        resolve=resolve_in_time,
        known_sockets=cache(known_sockets),
        unstorable=lru_cache(lambda column, text: unstorable_characters("dispatcher", column, text)),
        set_of=lambda _setid: _OTHERS,
        rows_of_set=lambda _setid: (),
        duplicate=lambda _setid, _uri, _own_id: None,
    )


def share_effects(changes: Sequence[RowChange[DestinationRow]]) -> list[dict[str, Any]]:
    """A card for each set whose calls move, those with a warning first; at most MAX_SETS."""
    setids = {row.setid for each in changes for row in (each.before, each.after) if row is not None}
    before = list(stored_rows(DESTINATIONS, setids))
    after = rows_after(before, changes)
    live = _live([*before, *after])
    names = SET_NAMES.all()
    former, now = _by_set(before), _by_set(after)
    cards = [_card(setid, former[setid], now[setid], live, names) for setid in sorted(setids)]
    moved = sorted((card for card in cards if card is not None), key=lambda card: not card["notes"])
    hidden = len(moved) - MAX_SETS
    more = [{"title": f"{counted(hidden, 'more set')}.", "rows": [], "notes": []}] if hidden > 0 else []
    return moved[:MAX_SETS] + more


def _by_set(rows: Iterable[DestinationRow]) -> dict[int, list[DestinationRow]]:
    found: dict[int, list[DestinationRow]] = defaultdict(list)
    for row in rows:
        found[row.setid].append(row)
    return found


def _key(row: DestinationRow) -> Key:
    return row.setid, uri_key(row.destination.rstrip(" "))


def _live(rows: Sequence[DestinationRow]) -> dict[Key, bool]:
    """Whether destinations take calls on the first proxy that answers, as far as it lists them."""
    fresh = [each.proxy for each in watched_proxies() if each.fresh]
    keys = {_key(row) for row in rows}
    if not fresh or len(keys) > MAX_LISTED:
        return {}
    listed = {key: found.get(fresh[0].pk, ()) for key, found in live_states(sorted(keys)).items()}
    return {key: known[0].state == "active" for key, known in listed.items() if known}


def _is_active(row: DestinationRow, live: dict[Key, bool]) -> bool:
    """By its live state where a proxy lists it, else by its initial state."""
    return live.get(_key(row), row.state not in (1, 2))


def _shares(rows: Sequence[DestinationRow], live: dict[Key, bool]) -> dict[str, float]:
    active = [row for row in rows if _is_active(row, live)]
    weight = sum(number_of(row.weight) for row in active)
    shares = {row.destination: 0.0 for row in rows}
    for row in active:
        shares[row.destination] += percentage(number_of(row.weight), weight, len(active))
    return shares


def _card(
    setid: int,
    before: Sequence[DestinationRow],
    after: Sequence[DestinationRow],
    live: dict[Key, bool],
    names: dict[int, str],
) -> dict[str, Any] | None:
    """The shares of one set before and after; None where nothing moves and nothing is to be warned of."""
    former, now = _shares(before, live), _shares(after, live)
    moves = {uri: now.get(uri, 0.0) - former.get(uri, 0.0) for uri in {**former, **now}}
    largest = sorted(moves, key=lambda uri: (-abs(moves[uri]), uri))
    notes = list(_notes(before, after, live))
    if not notes and not any(abs(move) > 0.05 for move in moves.values()):
        return None
    moved = sum(move for move in moves.values() if move > 0)
    title = f"Set {setid}" + (f" · {names[setid]}" if setid in names else "")
    if not before or not after:
        sums = f"new, {counted(len(after), 'destination')}" if after else f"all {len(before):,} deleted"
        return {"title": f"{title}: {sums}", "rows": [], "notes": notes, "more": ""}
    shown = [[uri, _percent(former.get(uri)), _percent(now.get(uri))] for uri in largest[:MAX_SHARES]]
    hidden = len(largest) - len(shown)
    return {
        "title": f"{title}: {percent_text(moved)} % of its calls move",
        "head": ["Destination", "Share now", "Share after a reload"],
        "rows": shown,
        "notes": notes,
        "more": f"{counted(hidden, 'more destination')}." if hidden else "",
    }


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{percent_text(share)} %"


def _notes(
    before: Sequence[DestinationRow], after: Sequence[DestinationRow], live: dict[Key, bool]
) -> Iterable[tuple[str, str]]:
    if before and not after:
        yield "error", "The set would be empty: calls to it would fail."
    elif after and not any(_is_active(row, live) for row in after):
        yield "error", "No destination in this set would receive calls."
    elif len(after) == 1 and len(before) != 1:
        yield "warning", "One destination would be left: there is no failover."
    total = sum(number_of(row.weight) for row in after)
    if total > MAX_WEIGHT:
        yield "warning", f"The weights would add up to {total:,}. A proxy wraps around at 65,535."
