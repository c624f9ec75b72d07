"""What the loader has to say of a row besides loading it."""

from dataclasses import dataclass
from enum import StrEnum


class RowEffect(StrEnum):
    """What becomes of the row, the worst first."""

    RELOAD_FAILS = "reload fails"
    DROPPED = "dropped"
    MISLOADED = "misloaded"
    """Loaded, but not as written: a value is cut or replaced, or the next hop is wrong."""
    SURPRISE = "surprise"
    """Loaded as written, and yet not what many would expect."""


class RowCode(StrEnum):
    """What was found."""

    EMPTY_DESTINATION = "empty-destination"
    BAD_WEIGHT = "bad-weight"
    BAD_URI = "bad-uri"
    NOT_SIP = "not-sip"
    UNKNOWN_NAME = "unknown-name"
    NAME_NOT_LOOKED_UP = "name-not-looked-up"
    BROKEN_NEXT_HOP = "broken-next-hop"
    COMMA = "comma"
    WEIGHT_CUT = "weight-cut"
    PRIORITY_CUT = "priority-cut"
    UNKNOWN_STATE = "unknown-state"
    UNKNOWN_PROBE_MODE = "unknown-probe-mode"
    NEGATIVE_SET = "negative-set"
    SOCKET_IGNORED = "socket-ignored"
    SHORT_ADDRESS = "short-address"
    NO_DEFAULT_PORT = "no-default-port"
    UNKNOWN_TRANSPORT = "unknown-transport"
    PARTS_CUT = "parts-cut"
    WEIGHTS_OVERFLOW = "weights-overflow"


@dataclass(frozen=True, slots=True)
class RowFinding:
    """One thing found: at which column of which row (its id), what becomes of it, and a text for people."""

    code: RowCode
    effect: RowEffect
    column: str
    text: str
    row_id: int | None = None


@dataclass(frozen=True, slots=True)
class RowFindings:
    """Gathers into a list what is found at one row."""

    row_id: int | None
    gathered: list[RowFinding]

    def add(self, code: RowCode, effect: RowEffect, column: str, text: str) -> None:
        """Note a finding."""
        self.gathered.append(RowFinding(code, effect, column, text, self.row_id))
