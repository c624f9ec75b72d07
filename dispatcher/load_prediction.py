"""What a proxy's loader would say of rows before they are sent to it, by the proxy's release.

A name that nobody looked up has no finding: whether it resolves is known only when a proxy loads it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from django.db import connection

from dispatcher.models import NameOutcome
from dispatcher.routing.addresses import plain_name
from dispatcher.routing.findings import RowEffect, RowFinding
from dispatcher.routing.loading import Environment, LoadBrokenError, Resolve, load_row
from dispatcher.routing.rows import COLUMNS, DestinationRow
from dispatcher.secrets import mask_weight
from efcp.releases import STRICTEST, Release

_PLAIN_DESTINATION = re.compile(r"sip:(?:\d{1,3}\.){3}\d{1,3}(?::(?:[1-9]\d{0,3}|[1-5]\d{4}))?")
_PLAIN_WEIGHT = re.compile(r"\d{1,4}")
_MAX_16 = 0xFFFF

MOST_SUSPECTS = 2_000
"""Rows of the sets of one page that go through the loader."""

_END = r"(:[1-9][0-9]{0,3})?(;transport=(udp|tcp|tls))?$"
SOUND = (
    r"^sip:[0-9]{1,3}([.][0-9]{1,3}){3}" + _END,
    r"^sip:[a-z]([a-z0-9-]*[.])*[a-z0-9-]*[a-z][a-z0-9-]*" + _END,
)
"""Destinations that load in any case, but for a name that does not resolve; others go through the loader.

Two expressions: a single one takes the database three times as long.
"""

WITH_UNRESOLVED = "LEFT JOIN efcp_name_lookup n ON n.uri_key = LOWER(d.destination) AND n.outcome = %s"
"""Joins to a row `d` of the table what the watcher knows of a name that does not resolve."""

SUSPECT = "(n.id IS NOT NULL OR NOT (d.destination REGEXP %s OR d.destination REGEXP %s))"
"""Whether the row `d` may not load; its parameters are SOUND."""

_LEFT_OUT = {RowEffect.DROPPED, RowEffect.RELOAD_FAILS}


def is_plain(row: DestinationRow) -> bool:
    """Whether the row is so ordinary that the loader has no findings."""
    return _PLAIN_DESTINATION.fullmatch(row.destination) is not None and _is_plain_elsewhere(row)


def _is_plain_elsewhere(row: DestinationRow) -> bool:
    """Whether the loader has no findings about the columns besides the destination."""
    return (
        not row.socket
        and _PLAIN_WEIGHT.fullmatch(row.weight) is not None
        and 0 <= row.priority <= _MAX_16
        and row.setid >= 0
        and row.state in {0, 1, 2}
        and row.probe_mode in {0, 1}
    )


def may_break_load(destination: str, weight: str) -> bool:
    """Whether the loader of some release could give up over a row with these columns."""
    return not destination.strip(" ") or not (weight.isascii() and weight.isdigit())


class PredictedFinding(NamedTuple):
    """A finding with the row that it is about."""

    row: DestinationRow
    finding: RowFinding


def _unknown(_host: str, _port: int | None, _transport: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Loader:
    """The loader of one release. What it says of a row is worked out once, for all proxies of the release."""

    release: Release
    resolve: Resolve = _unknown
    _found: dict[int | None, tuple[PredictedFinding, ...]] = field(default_factory=dict)

    @classmethod
    def of_version(cls, version: str, resolve: Resolve = _unknown) -> "Loader":
        """The loader of a proxy that reported `version` ("3.4.18"; empty for one that never did)."""
        # The strictest where it is not known, since later releases refuse more.
        return cls(Release.of(version, otherwise=STRICTEST), resolve)

    def findings(self, row: DestinationRow) -> tuple[PredictedFinding, ...]:
        """What becomes of `row` otherwise than written: dropped, misloaded, or the whole reload failing."""
        if is_plain(row) or self._has_sound_name(row):
            return ()
        if row.id not in self._found:
            self._found[row.id] = tuple(
                PredictedFinding(row, finding)
                for finding in self._findings(row)
                if finding.effect is not RowEffect.SURPRISE
            )
        return self._found[row.id]

    def _has_sound_name(self, row: DestinationRow) -> bool:
        """Whether nothing but the row's name could be wrong, and that is not known to be."""
        name = plain_name(row.destination)
        return name is not None and _is_plain_elsewhere(row) and self.resolve(*name) != ()

    def breaks(self, rows: Iterable[DestinationRow]) -> PredictedFinding | None:
        """The first finding over which the reload of `rows` would fail as a whole."""
        suspects = (row for row in rows if may_break_load(row.destination, row.weight))
        return next((each for row in suspects for each in self.findings(row) if is_breaking(each)), None)

    def _findings(self, row: DestinationRow) -> list[RowFinding]:
        environment = Environment(resolve=self.resolve, release=self.release)
        found: list[RowFinding] = []
        try:
            # Findings quote the weight, and every viewer reads those.
            load_row(replace(row, weight=mask_weight(row.weight)), environment, found)
        except LoadBrokenError as error:
            found.append(error.finding)
        return found


def is_breaking(predicted: PredictedFinding) -> bool:
    """Whether the whole reload would fail over it."""
    return predicted.finding.effect is RowEffect.RELOAD_FAILS


def is_dropped(findings: Iterable[PredictedFinding]) -> bool:
    """Whether the row with these findings would be left out."""
    return any(each.finding.effect is RowEffect.DROPPED for each in findings)


def left_out(setids: Iterable[int], version: str = "") -> dict[int, RowFinding]:
    """By row id, why a proxy of release `version` would not load the row; names as the watcher knows them.

    An empty `version` stands for the strictest release.
    """
    chosen = sorted(set(setids))
    if not chosen:
        return {}
    found: dict[int, RowFinding] = {}
    for row_id, row, is_unresolved in _suspects(chosen):
        loader = Loader.of_version(version, _no_such_name if is_unresolved else _unknown)
        finding = next(
            (each.finding for each in loader.findings(row) if each.finding.effect in _LEFT_OUT), None
        )
        if finding is not None:
            found[row_id] = finding
    return found


def _no_such_name(_host: str, _port: int | None, _transport: str) -> tuple[str, ...]:
    return ()


def _suspects(setids: list[int]) -> Iterable[tuple[int, DestinationRow, bool]]:
    """Rows that may not load by id, with whether the watcher knows that their names do not resolve."""
    columns = ", ".join(f"d.{name}" for name in COLUMNS)
    sql = (
        f"SELECT d.id, n.id IS NOT NULL, {columns}"  # noqa: S608 - no value in the text
        f" FROM dispatcher d {WITH_UNRESOLVED}"
        f" WHERE d.setid IN ({', '.join(['%s'] * len(setids))})"
        f" AND {SUSPECT} ORDER BY d.id LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [NameOutcome.NO_SUCH_NAME.value, *setids, *SOUND, MOST_SUSPECTS])
        return [
            (row_id, DestinationRow(*columns), bool(flag)) for row_id, flag, *columns in cursor.fetchall()
        ]
