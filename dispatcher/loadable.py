"""Rows that a load would leave out: what is wrong with them, and names that do not resolve."""

from collections.abc import Iterable

from django.db import connection

from dispatcher.foretold import Loader, TableRow
from dispatcher.models import NameOutcome
from dispatcher.routing.findings import Effect, Finding

MOST_SUSPECTS = 2_000
"""Rows of the sets of one page that go through the loader."""

_END = r"(:[1-9][0-9]{0,3})?(;transport=(udp|tcp|tls))?$"
SOUND = (
    r"^sip:[0-9]{1,3}([.][0-9]{1,3}){3}" + _END,
    r"^sip:[a-z]([a-z0-9-]*[.])*[a-z0-9-]*[a-z][a-z0-9-]*" + _END,
)
"""Destinations that load in any case, but for a name that does not resolve; others go through the loader.

Two expressions: one that tells both takes the database three times as long.
"""

WITH_UNRESOLVED = "LEFT JOIN efcp_name_lookup n ON n.uri_key = LOWER(d.destination) AND n.outcome = %s"
"""Joins to a row `d` of the table what the watcher knows of a name that does not resolve."""

SUSPECT = "(n.id IS NOT NULL OR NOT (d.destination REGEXP %s OR d.destination REGEXP %s))"
"""Whether the row `d` may not load; its parameters are SOUND."""

_LEFT_OUT = {Effect.DROPPED, Effect.RELOAD_FAILS}


def left_out(setids: Iterable[int], version: str = "") -> dict[int, Finding]:
    """By row id, why a proxy of release `version` would not load the row; names as the watcher knows them.

    An empty `version` stands for the strictest release.
    """
    wanted = sorted(set(setids))
    if not wanted:
        return {}
    found: dict[int, Finding] = {}
    for row, is_unresolved in _suspects(wanted):
        loader = Loader.of_version(version, _no_such_name if is_unresolved else _not_known)
        finding = next((each.finding for each in loader.says(row) if each.finding.effect in _LEFT_OUT), None)
        if finding is not None:
            found[row.id] = finding
    return found


def _no_such_name(_host: str, _port: int | None, _transport: str) -> tuple[str, ...]:
    return ()


def _not_known(_host: str, _port: int | None, _transport: str) -> None:
    return None


def _suspects(setids: list[int]) -> Iterable[tuple[TableRow, bool]]:
    """Rows that may not load, with whether the watcher knows that their names do not resolve."""
    sql = (
        "SELECT d.id, d.setid, d.destination, COALESCE(d.socket, ''), COALESCE(d.attrs, ''), d.weight,"  # noqa: S608 - no value in the text
        " d.priority, COALESCE(d.description, ''), d.state, d.probe_mode, n.id IS NOT NULL"
        f" FROM dispatcher d {WITH_UNRESOLVED}"
        f" WHERE d.setid IN ({', '.join(['%s'] * len(setids))})"
        f" AND {SUSPECT} ORDER BY d.id LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [NameOutcome.NO_SUCH_NAME.value, *setids, *SOUND, MOST_SUSPECTS])
        return [(TableRow._make(columns), bool(flag)) for *columns, flag in cursor.fetchall()]
