"""A row of the table `dispatcher`: the one type from a form's values to the proxy's loader."""

from dataclasses import dataclass, field, fields
from operator import attrgetter


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """The columns of one row, with the table's defaults. NULL is None; the loader takes it for empty.

    `id` is None for a row that is not stored yet, and has no part in comparisons. Spaces at the end of texts
    don't count: MariaDB's CHAR columns cut them before a proxy sees them.
    """

    setid: int
    destination: str
    socket: str | None = None
    attrs: str | None = ""
    weight: str = "1"
    priority: int = 0
    description: str | None = ""
    state: int = 0
    probe_mode: int = 0
    id: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, stored: object) -> "DestinationRow":
        """The row that a model's instance was read with."""
        return cls(*_columns_of(stored))


COLUMNS = tuple(each.name for each in fields(DestinationRow))
"""The names of the columns, in the order of the fields."""

_columns_of = attrgetter(*COLUMNS)
