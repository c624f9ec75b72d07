"""States and failure counts of destinations in a proxy's memory (dispatch.c: _ds_set_state)."""

from dataclasses import dataclass
from enum import Flag, IntEnum, auto

_COUNTER = 1 << 16


class State(IntEnum):
    """The state of a destination, with the numbers of the column `state`. Only active ones are selected."""

    ACTIVE = 0
    INACTIVE = 1
    PROBING = 2


class Mark(Flag):
    """The flags that a destination's state is made of."""

    NONE = 0
    INACTIVE = auto()
    PROBING = auto()
    UNSAVED = auto()
    """Changed since it was last written to the table."""


_DISABLING = Mark.INACTIVE | Mark.PROBING
_OF_STATE = {State.ACTIVE: Mark.NONE, State.INACTIVE: Mark.INACTIVE, State.PROBING: Mark.PROBING}


@dataclass(frozen=True, slots=True)
class StateChange:
    """One change of flags, as the proxy reports and raises it.

    `address` is the URI as the one who asked wrote it. `status` is what E_DISPATCHER_STATUS says: "inactive"
    where a flag was set, "active" where one was taken away, whatever the state is then.
    """

    setid: int
    address: str
    before: State
    after: State
    status: str
    reason: str


@dataclass(slots=True)
class Health:
    """State, failure count and unsaved flag of one destination."""

    marks: Mark = Mark.NONE
    failures: int = 0

    @classmethod
    def of(cls, state: State) -> "Health":
        """The health of a destination that was just loaded in `state`."""
        return cls(_OF_STATE[state])

    @property
    def active(self) -> bool:
        """Whether it takes calls."""
        return not self.marks & _DISABLING

    @property
    def state(self) -> State:
        """The state as ds_list and the table tell it: inactive stands before probing."""
        if self.marks & Mark.INACTIVE:
            return State.INACTIVE
        return State.PROBING if self.marks & Mark.PROBING else State.ACTIVE

    def count_failure(self, threshold: int) -> bool:
        """Count one failure and turn to probing at the threshold; tell whether flags changed.

        An inactive destination takes no notice.
        """
        if self.marks & Mark.INACTIVE:
            return False
        self.failures = (self.failures + 1) % _COUNTER
        if self.failures < threshold:
            return False
        self.failures = min(self.failures, threshold)
        return self._become(self.marks | Mark.PROBING)

    def set_inactive(self) -> bool:
        """Set the inactive flag; tell whether it was not set."""
        return self._become(self.marks | Mark.INACTIVE)

    def recover(self) -> bool:
        """Become active and forget the failures; tell whether a flag was set."""
        self.failures = 0
        return self.clear(_DISABLING)

    def clear(self, marks: Mark) -> bool:
        """Take flags away; tell whether one was set. The failure count stays as it is."""
        return self._become(self.marks & ~marks)

    def _become(self, marks: Mark) -> bool:
        if marks == self.marks:
            return False
        self.marks = marks | Mark.UNSAVED
        return True


def state_of_word(word: str) -> State | None:
    """The state that MI's ds_set_state means by `word`, whose first letter counts; None for none.

    Its numbers are not the column's: 0 is inactive, 1 active, 2 probing (dispatcher.c: ds_mi_set).
    """
    meanings = {"0": State.INACTIVE, "i": State.INACTIVE, "1": State.ACTIVE, "a": State.ACTIVE}
    meanings |= {"2": State.PROBING, "p": State.PROBING}
    return meanings.get(word[:1].lower())
