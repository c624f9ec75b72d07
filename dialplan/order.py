"""The order in which a proxy tries the rules of a dialplan, and what moves one in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_PRIORITY = 2**31 - 1


class NoRoomError(Exception):
    """The column `pr` holds no number that is small or large enough."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule's id and priority."""

    id: int
    pr: int


def moved(rules: Sequence[Placed], moving: int, target: int, *, behind: bool) -> dict[int, int]:
    """The new priorities, by id, that put `moving` right before or behind `target`; few others change.

    `rules` stand in their order. Between two neighbours every priority is then a different one, so that the
    order does not rest on the database's. Raises NoRoomError, and ValueError where a rule is not there.
    """
    others = [rule for rule in rules if rule.id != moving]
    at = next((index for index, rule in enumerate(others) if rule.id == target), None)
    if at is None or len(others) == len(rules):
        raise ValueError("This rule is not in this dialplan.")
    at += behind
    changes = {moving: _between(others, at)}
    least = changes[moving] + 1
    for rule in others[at:]:
        if rule.pr >= least:
            break
        changes[rule.id] = least
        least += 1
    if max(changes.values()) > MAX_PRIORITY or min(changes.values()) < -MAX_PRIORITY:
        raise NoRoomError("No free priority is left for it.")
    return changes


def separated(rules: Sequence[Placed]) -> dict[int, int]:
    """The new priorities, by id, that give each rule one of its own in the order of `rules`; few change.

    Raises NoRoomError.
    """
    changes: dict[int, int] = {}
    least = -MAX_PRIORITY - 1
    for rule in rules:
        priority = max(rule.pr, least)
        if priority != rule.pr:
            changes[rule.id] = priority
        least = priority + 1
    if least - 1 > MAX_PRIORITY:
        raise NoRoomError("No free priority is left after the last rule.")
    return changes


def next_free(taken: Iterable[int], after: int | None = None) -> int:
    """The first priority behind `after` that is not among `taken`; with None, the one behind all of them.

    Where none is left behind, the nearest free one before.
    """
    used = set(taken)
    if after is None:
        after = max(used, default=0)
        used |= {after}
    behind = next((each for each in range(after + 1, after + len(used) + 2) if each not in used), after + 1)
    if behind <= MAX_PRIORITY:
        return behind
    return next(each for each in range(MAX_PRIORITY, MAX_PRIORITY - len(used) - 2, -1) if each not in used)


def _between(others: Sequence[Placed], at: int) -> int:
    """A priority for the place `at`, in the middle of a gap where there is one."""
    if at == 0:
        return others[0].pr - 1
    before = others[at - 1].pr
    if at == len(others):
        return before + 1
    return before + max(1, (others[at].pr - before) // 2)
