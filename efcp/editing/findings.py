"""What is to be said of a field before a row is saved."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether a finding stops the save."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say at one field; `position` is its place in the text, from 0, where there is one."""

    field: str
    severity: Severity
    text: str
    code: str = ""
    position: int | None = None
