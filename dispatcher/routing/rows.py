"""A row of the table `dispatcher`, as the proxy's loader gets it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """The columns of one row, with the table's defaults. `id` only names the row in findings.

    Spaces at the end of texts don't count: MariaDB's CHAR columns cut them before a proxy sees them.
    """

    setid: int
    destination: str | None
    socket: str | None = None
    state: int = 0
    probe_mode: int = 0
    weight: str | None = "1"
    priority: int = 0
    attrs: str | None = ""
    description: str | None = ""
    id: int | None = None
