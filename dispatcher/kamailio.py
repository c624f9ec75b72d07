"""Kamailio's destinations as OpenSIPS's: its table `dispatcher`, and the lines of dispatcher.list.

The flags and attributes are those of the documentation of Kamailio's module dispatcher. OpenSIPS has columns
for some of them; the others stay attributes, which only a script reads.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from efcp.editing.findings import Finding, Severity

COLUMNS = (
    "setid",
    "destination",
    "socket",
    "state",
    "probe_mode",
    "weight",
    "priority",
    "attrs",
    "description",
)
"""What a row of Kamailio's becomes."""

INACTIVE, TRYING, DISABLED, PROBED, NO_LOOKUP = 1, 2, 4, 8, 16
_MEANINGS = {
    INACTIVE: ("state", "Flag 1 (inactive): imported with the initial state inactive."),
    TRYING: ("state", "Flag 2 (trying) is a passing state of Kamailio: not imported."),
    DISABLED: ("state", "Flag 4 (disabled): imported with the initial state inactive."),
    PROBED: ("probe_mode", "Flag 8 (probing): imported as always probed."),
    NO_LOOKUP: (
        "destination",
        "Flag 16 (no DNS lookup) has no equivalent: OpenSIPS resolves names at a reload.",
    ),
}
_COLUMN_OF = {"weight": "weight", "rweight": "weight", "socket": "socket", "sockname": "socket"}


def is_kamailio(columns: Sequence[str]) -> bool:
    """Whether these are columns of Kamailio's table: it has flags where OpenSIPS's has a state."""
    names = {name.lower() for name in columns}
    return {"setid", "destination", "flags"} <= names and not names & {"state", "weight", "probe_mode"}


def as_opensips(row: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """One row of Kamailio's in columns of OpenSIPS's, and what its flags and attributes mean here."""
    found: list[Finding] = []
    values = {name: row.get(name) for name in ("setid", "destination", "priority", "description")}
    values = {name: value for name, value in values.items() if value not in (None, "")}
    flags = _flags(row.get("flags"), found)
    for flag, (column, text) in _MEANINGS.items():
        if flags & flag:
            found.append(Finding(column, Severity.WARNING, text, f"kamailio-{flag}"))
    values["state"] = "1" if flags & (INACTIVE | DISABLED) else "0"
    values["probe_mode"] = "1" if flags & PROBED else "0"
    attributes = []
    for each in str(row.get("attrs") or "").split(";"):
        name, _, value = each.partition("=")
        column = _COLUMN_OF.get(name.strip(), "")
        if not column or column in values:
            attributes += [each] if each.strip() else []
            continue
        values[column] = value.strip()
        text = f"Attribute {name.strip()}: imported as the {column}."
        found.append(Finding(column, Severity.WARNING, text, f"kamailio-{name.strip()}"))
    values["attrs"] = ";".join(attributes)
    return values, found


def _flags(value: Any, found: list[Finding]) -> int:
    text = str(value or "0").strip()
    if text.isascii() and text.isdigit():
        return int(text)
    found.append(Finding("state", Severity.ERROR, f"The flags are no number: {text[:20]}.", "kamailio-flags"))
    return 0
