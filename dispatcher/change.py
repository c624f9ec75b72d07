"""One destination that a reload would change, and lists of them that stay short."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.drift import ColumnDifference

SHOWN_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One destination that differs; `row_id` is None where only the memory holds it, `by` is who wrote it.

    `why` says what neither columns nor the lack of a row say; `takes_calls` whether it is active now.
    """

    row_id: int | None
    setid: int
    uri: str
    differences: tuple[ColumnDifference, ...] = ()
    by: str = ""
    why: str = ""
    takes_calls: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of one kind: how many there are, and the first SHOWN_AT_MOST of them."""

    count: int = 0
    shown: tuple[Change, ...] = ()

    @classmethod
    def of(cls, changes: Sequence[Change]) -> "Changes":
        """All of `changes` counted, the first of them shown."""
        return cls(len(changes), tuple(changes[:SHOWN_AT_MOST]))

    @property
    def unshown(self) -> int:
        """How many are only counted."""
        return self.count - len(self.shown)


@dataclass(frozen=True, slots=True)
class IgnoredSocket:
    """A socket of `rows` rows that a proxy does not use, and would not after a reload: no difference.

    It is `loaded` where the proxy is known to have loaded it like that; else it was only not seen so far to
    listen on it.
    """

    socket: str
    rows: int
    loaded: bool
