"""The input of a distribution: ds_select_dst's arguments, an unsaved edit, and the columns of a log."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.selection import Algorithm, SelectFlag
from efcp.sip.uri import uri_key

REMOVED = "gone"
STATES = {"active": 0, "inactive": 1, "probing": 2}


@dataclass(frozen=True, slots=True)
class UnsavedEdit:
    """A change to the destination `uri` of a set; an empty weight or state stays as it is.

    A destination that the set lacks is added; the state REMOVED removes it.
    """

    setid: int
    uri: str
    weight: str = ""
    state: str = ""

    def __call__(self, rows: list[DestinationRow]) -> list[DestinationRow]:
        """Apply the change to the rows of the set."""
        key = uri_key(self.uri)
        matching = [row for row in rows if uri_key(row.destination or "") == key]
        if self.state == REMOVED:
            return [row for row in rows if row not in matching]
        if not matching:
            return [*rows, self._changed(DestinationRow(self.setid, self.uri))]
        return [self._changed(row) if row in matching else row for row in rows]

    def _changed(self, row: DestinationRow) -> DestinationRow:
        changed = replace(row, weight=self.weight) if self.weight else row
        return replace(changed, state=STATES[self.state]) if self.state else changed


@dataclass(frozen=True, slots=True)
class SelectArguments:
    """Set, algorithm and flags that all calls share; `edit` is an unsaved change counted beside the table."""

    setid: int
    algorithm: Algorithm
    flags: SelectFlag = SelectFlag.NONE
    edit: UnsavedEdit | None = None


class KeyField(StrEnum):
    """A part of a request that a log's column holds."""

    CALL_ID = "call_id"
    FROM_URI = "from_uri"
    TO_URI = "to_uri"
    REQUEST_URI = "request_uri"
    AUTH_USER = "auth_user"
    CUSTOM = "custom"


LABELS = {
    KeyField.CALL_ID: "Call-ID",
    KeyField.FROM_URI: "From",
    KeyField.TO_URI: "To",
    KeyField.REQUEST_URI: "Request URI",
    KeyField.AUTH_USER: "Auth user",
    KeyField.CUSTOM: "Custom key",
}
FIELD_OF = {
    Algorithm.CALL_ID: KeyField.CALL_ID,
    Algorithm.FROM_URI: KeyField.FROM_URI,
    Algorithm.TO_URI: KeyField.TO_URI,
    Algorithm.REQUEST_URI: KeyField.REQUEST_URI,
    Algorithm.AUTH_USER: KeyField.AUTH_USER,
    Algorithm.HASH_VARIABLE: KeyField.CUSTOM,
}
"""What each algorithm hashes; the others hash nothing."""

URIS = frozenset({KeyField.FROM_URI, KeyField.TO_URI, KeyField.REQUEST_URI})

COUNTABLE = (*FIELD_OF, Algorithm.ROUND_ROBIN, Algorithm.RANDOM, Algorithm.FIRST)
"""9 and 10 depend on values of the running proxy, which no call log holds."""

WEIGHTED_BY_HASH = frozenset(COUNTABLE) - {Algorithm.ROUND_ROBIN, Algorithm.FIRST}

_USUAL_NAMES = {
    KeyField.CALL_ID: re.compile(r"(sip)?call_?id"),
    KeyField.FROM_URI: re.compile(r"(sip_?)?(from(_?uri)?|caller|src(_?uri)?|calling.*)"),
    KeyField.TO_URI: re.compile(r"(sip_?)?(to(_?uri)?|callee|dst(_?uri)?|called.*)"),
    KeyField.REQUEST_URI: re.compile(r"(r|request|req|ru)_?(uri)?"),
    KeyField.AUTH_USER: re.compile(r"(auth(_?user)?(_?name)?|user(_?name)?|account)"),
    KeyField.CUSTOM: re.compile(r"(custom_?)?key"),
}


@dataclass(frozen=True, slots=True)
class LogColumns:
    """The index of each field's column, and whether the first line holds names."""

    columns: dict[KeyField, int]
    has_header: bool


def guess_columns(names: Sequence[str]) -> dict[KeyField, int]:
    """The index of the column that most likely holds each field, by the names that logs use."""
    found: dict[KeyField, int] = {}
    for index, name in enumerate(names):
        plain = name.strip().lower().replace("-", "_").replace(" ", "_")
        for field, usual in _USUAL_NAMES.items():
            if field not in found and usual.fullmatch(plain):
                found[field] = index
                break
    return found
