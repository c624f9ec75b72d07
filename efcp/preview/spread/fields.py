"""The columns of a call log that can decide where a call goes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.routing.selection import Algorithm


class Field(StrEnum):
    """A part of a request that a column holds."""

    CALL_ID = "call_id"
    FROM_URI = "from_uri"
    TO_URI = "to_uri"
    REQUEST_URI = "request_uri"
    AUTH_USER = "auth_user"
    CUSTOM = "custom"


LABELS = {
    Field.CALL_ID: "Call-ID",
    Field.FROM_URI: "From",
    Field.TO_URI: "To",
    Field.REQUEST_URI: "Request URI",
    Field.AUTH_USER: "Auth user",
    Field.CUSTOM: "Custom key",
}
FIELD_OF = {
    Algorithm.CALL_ID: Field.CALL_ID,
    Algorithm.FROM_URI: Field.FROM_URI,
    Algorithm.TO_URI: Field.TO_URI,
    Algorithm.REQUEST_URI: Field.REQUEST_URI,
    Algorithm.AUTH_USER: Field.AUTH_USER,
    Algorithm.HASH_VARIABLE: Field.CUSTOM,
}
"""What each algorithm hashes; those that are absent hash nothing."""

URIS = frozenset({Field.FROM_URI, Field.TO_URI, Field.REQUEST_URI})

_USUAL_NAMES = {
    Field.CALL_ID: re.compile(r"(sip)?call_?id"),
    Field.FROM_URI: re.compile(r"(sip_?)?(from(_?uri)?|caller|src(_?uri)?|calling.*)"),
    Field.TO_URI: re.compile(r"(sip_?)?(to(_?uri)?|callee|dst(_?uri)?|called.*)"),
    Field.REQUEST_URI: re.compile(r"(r|request|req|ru)_?(uri)?"),
    Field.AUTH_USER: re.compile(r"(auth(_?user)?(_?name)?|user(_?name)?|account)"),
    Field.CUSTOM: re.compile(r"(custom_?)?key"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How a log is to be read: the index of each field's column, and whether a first line holds names."""

    columns: dict[Field, int]
    has_header: bool


def guessed(columns: Sequence[str]) -> dict[Field, int]:
    """The index of the column that is most likely each field's, by the names that logs use."""
    found: dict[Field, int] = {}
    for index, name in enumerate(columns):
        plain = name.strip().lower().replace("-", "_").replace(" ", "_")
        for field, usual in _USUAL_NAMES.items():
            if field not in found and usual.fullmatch(plain):
                found[field] = index
                break
    return found
