"""What a change does to a set: shares before and after, how many calls move, who takes over whose. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.routing.live import LiveSet
from dispatcher.routing.replay import Move, Replay, moves
from dispatcher.routing.selection import Algorithm
from dispatcher.routing.weights import shares
from efcp.preview.spread.generated import generated_calls
from efcp.preview.spread.question import Question
from efcp.sip.uri import uri_key

CALLS = 10_000
SEED = 1
MOVES_SHOWN = 10
BARS_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Share:
    """A destination's percentage of calls under the weighted algorithms; None where it is not in the set."""

    uri: str
    before: float | None
    after: float | None

    @property
    def changes(self) -> bool:
        """Whether it gets more or fewer calls."""
        return round(self.before or 0, 1) != round(self.after or 0, 1)


@dataclass(frozen=True, slots=True)
class Effect:
    """A change's effect on a set; `moved` of CALLS calls get another destination, by the Call-ID's hash."""

    setid: int
    shares: tuple[Share, ...]
    moved: int
    moves: tuple[Move, ...]
    words: tuple[str, ...]

    @property
    def shown(self) -> tuple[Share, ...]:
        """The destinations that the page has room for, those that change first."""
        return tuple(sorted(self.shares, key=lambda each: not each.changes)[:BARS_SHOWN])

    @property
    def not_shown(self) -> int:
        """How many destinations it has no room for."""
        return max(0, len(self.shares) - BARS_SHOWN)

    @property
    def moved_percent(self) -> float:
        """Of all calls."""
        return 100 * self.moved / CALLS

    @property
    def is_none(self) -> bool:
        """Whether every call stays where it is."""
        return not self.moved and not any(each.changes for each in self.shares)


def effect(setid: int, before: LiveSet | None, after: LiveSet | None) -> Effect:
    """Compare a set with itself after the change; None is a set without destinations."""
    found = _moves(before, after)
    return Effect(
        setid=setid,
        shares=_shares(before, after),
        moved=sum(each.calls for each in found),
        moves=tuple(found[:MOVES_SHOWN]),
        words=tuple(_words(before, after)),
    )


def _shares(before: LiveSet | None, after: LiveSet | None) -> tuple[Share, ...]:
    was, now = _percentages(before), _percentages(after)
    spelled = {**_spelled(before), **_spelled(after)}
    return tuple(Share(uri, was.get(key), now.get(key)) for key, uri in spelled.items())


def _spelled(live: LiveSet | None) -> dict[str, str]:
    return {uri_key(each.loaded.uri): each.loaded.uri for each in live.destinations} if live else {}


def _percentages(live: LiveSet | None) -> dict[str, float]:
    """By URI; where one stands twice in the set, both together."""
    if live is None:
        return {}
    weights = [each.loaded.weight for each in live.destinations]
    effective = shares(weights, [each.active for each in live.destinations]).effective
    found: dict[str, float] = {}
    for each, share in zip(live.destinations, effective, strict=True):
        key = uri_key(each.loaded.uri)
        found[key] = found.get(key, 0.0) + float(100 * share)
    return found


def _moves(before: LiveSet | None, after: LiveSet | None) -> list[Move]:
    calls = generated_calls(Question(0, Algorithm.CALL_ID), CALLS, SEED)
    empty = LiveSet(0, [])
    sides = [Replay(live or empty, Algorithm.CALL_ID).choose(calls) for live in (before, after)]
    uris = [[each.loaded.uri for each in live.destinations] if live else [] for live in (before, after)]
    return moves(sides[0], sides[1], uris[0], uris[1])


def _words(before: LiveSet | None, after: LiveSet | None) -> list[str]:
    """What is easily overlooked, in sentences."""
    active = [each.loaded.uri for each in after.destinations if each.active] if after else []
    if not active:
        return ["No destination of the set takes calls any more: ds_select_dst fails for every call."]
    told = []
    if len(set(active)) == 1 and _count_active(before) > 1:
        told.append(f"{active[0]} takes over every call of the set.")
    first_before, first_after = _first_active(before), active[0]
    if first_before is not None and uri_key(first_before) != uri_key(first_after):
        told.append(
            f"Under algorithm 8 (the first entry) {first_after} takes over all calls of {first_before}."
        )
    if before is not None and after is not None and len(active) > 1:
        told += _stepped_to(before, after)
    return told


def _count_active(live: LiveSet | None) -> int:
    return live.calls.count if live else 0


def _first_active(live: LiveSet | None) -> str | None:
    return next((each.loaded.uri for each in live.destinations if each.active), None) if live else None


def _stepped_to(before: LiveSet, after: LiveSet) -> list[str]:
    """Round robin gives the turns of an inactive one to the next active one in the ring alone."""
    was_active = {uri_key(each.loaded.uri) for each in before.destinations if each.active}
    members = after.destinations
    told = []
    for index, each in enumerate(members):
        if each.active or uri_key(each.loaded.uri) not in was_active:
            continue
        ring: Sequence[int] = [(index + step) % len(members) for step in range(1, len(members))]
        heir = next(members[place].loaded.uri for place in ring if members[place].active)
        told.append(f"Under round robin (4) {heir} alone takes over the turns of {each.loaded.uri}.")
    return told[:MOVES_SHOWN]
