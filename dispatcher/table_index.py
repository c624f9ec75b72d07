"""Which rows each set has, in the order of the list: kept of a table until it changes.

OpenSIPS's table has no index by set, so that each page would read all of a large one several times. A process
reads it once, at the second page after a change, and then gets at rows by their ids.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from django.db import connection

from dispatcher.selectors import LIST_VERSION
from efcp.database.versions import KEPT_FOR_S
from efcp.kept import KeptValues
from efcp.proxies.selectors import WatchedProxy

MOST_IDS = 1_000
"""Sets of more rows than this are looked up by their numbers."""

_kept: KeptValues["TableIndex"] = KeptValues(1)
_versions: KeptValues[bool] = KeptValues(2)


@dataclass(frozen=True, slots=True)
class TableIndex:
    """The ids of all rows in the order of the list, and those of each set."""

    ids: Sequence[int]
    by_set: Mapping[int, Sequence[int]]

    def ids_of(self, setids: Collection[int]) -> list[int] | None:
        """The ids of all rows of these sets; None where they are too many to be named."""
        found = [row_id for setid in setids for row_id in self.by_set.get(setid, ())]
        return found if len(found) <= MOST_IDS else None


def index_of(watched: Sequence[WatchedProxy]) -> TableIndex | None:
    """The index of the table as it is now, where its version is known and was requested before."""
    version = LIST_VERSION.table(watched)
    if version is None:
        return None
    index = _kept.get(version)
    if index is None and _versions.get(version):
        index = read_index()
        _kept.keep(version, index, KEPT_FOR_S)
    _versions.keep(version, True, KEPT_FOR_S)
    return index


def read_index() -> TableIndex:
    """The index of the table as it is now; reads all of it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT setid, -priority, id FROM dispatcher")
        rows = sorted(cursor.fetchall())
    by_set = {
        setid: tuple(map(itemgetter(2), members)) for setid, members in groupby(rows, key=itemgetter(0))
    }
    return TableIndex(tuple(map(itemgetter(2), rows)), by_set)
