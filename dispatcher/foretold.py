"""What a proxy's loader would say of rows before they are sent to it, by the proxy's release.

Of a name that nobody looked up nothing is said: whether it resolves is known only when a proxy loads it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from dispatcher.routing.findings import Effect, Finding
from dispatcher.routing.loading import Environment, LoadBrokenError, Resolve, load_row
from dispatcher.routing.lookup import plain_name
from dispatcher.routing.rows import DestinationRow
from dispatcher.secrets import mask_weight
from efcp.releases import STRICTEST, Release

_PLAIN_DESTINATION = re.compile(r"sip:(?:\d{1,3}\.){3}\d{1,3}(?::(?:[1-9]\d{0,3}|[1-5]\d{4}))?")
_PLAIN_WEIGHT = re.compile(r"\d{1,4}")
_MAX_16 = 0xFFFF


class TableRow(NamedTuple):
    """One row of the table, NULL read as empty. A tuple, since there may be 50,000."""

    id: int
    setid: int
    destination: str
    socket: str
    attrs: str
    weight: str
    priority: int
    description: str
    state: int
    probe_mode: int

    @property
    def is_plain(self) -> bool:
        """Whether the row is so ordinary that the loader has nothing to say of it."""
        return _PLAIN_DESTINATION.fullmatch(self.destination) is not None and self.is_plain_beside_destination

    @property
    def is_plain_beside_destination(self) -> bool:
        """Whether the loader has nothing to say of the other columns."""
        return (
            not self.socket
            and _PLAIN_WEIGHT.fullmatch(self.weight) is not None
            and 0 <= self.priority <= _MAX_16
            and self.setid >= 0
            and self.state in {0, 1, 2}
            and self.probe_mode in {0, 1}
        )

    @property
    def may_break_loading(self) -> bool:
        """Whether the loader of some release could give up over the row."""
        return not self.destination.strip(" ") or not (self.weight.isascii() and self.weight.isdigit())


class Foretold(NamedTuple):
    """A finding with the row that it is about."""

    row: TableRow
    finding: Finding


def _unknown(_host: str, _port: int | None, _transport: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Loader:
    """The loader of one release. What it says of a row is worked out once, for all proxies of the release."""

    release: Release
    resolve: Resolve = _unknown
    _said: dict[int, tuple[Foretold, ...]] = field(default_factory=dict)

    @classmethod
    def of_version(cls, version: str, resolve: Resolve = _unknown) -> "Loader":
        """The loader of a proxy that told `version` ("3.4.18"; empty for one that never told)."""
        # The strictest where it is not known, since later releases refuse more.
        return cls(Release.of(version, otherwise=STRICTEST), resolve)

    def says(self, row: TableRow) -> tuple[Foretold, ...]:
        """What becomes of `row` otherwise than written: dropped, misloaded, or the whole reload failing."""
        if row.is_plain or self._has_sound_name(row):
            return ()
        if row.id not in self._said:
            self._said[row.id] = tuple(
                Foretold(row, finding)
                for finding in self._findings(row)
                if finding.effect is not Effect.SURPRISE
            )
        return self._said[row.id]

    def _has_sound_name(self, row: TableRow) -> bool:
        """Whether nothing but the row's name could be wrong, and that is not known to be."""
        name = plain_name(row.destination)
        return name is not None and row.is_plain_beside_destination and self.resolve(*name) != ()

    def breaks(self, rows: Iterable[TableRow]) -> Foretold | None:
        """The first finding over which the reload of `rows` would fail as a whole."""
        suspects = (row for row in rows if row.may_break_loading)
        return next((each for row in suspects for each in self.says(row) if is_breaking(each)), None)

    def _findings(self, row: TableRow) -> list[Finding]:
        environment = Environment(resolve=self.resolve, release=self.release)
        found: list[Finding] = []
        try:
            load_row(_as_loaded(row), environment, found)
        except LoadBrokenError as error:
            found.append(error.finding)
        return found


def is_breaking(foretold: Foretold) -> bool:
    """Whether the whole reload would fail over it."""
    return foretold.finding.effect is Effect.RELOAD_FAILS


def is_dropped(said: Iterable[Foretold]) -> bool:
    """Whether the row of which this is `said` would be left out."""
    return any(each.finding.effect is Effect.DROPPED for each in said)


def _as_loaded(row: TableRow) -> DestinationRow:
    return DestinationRow(
        setid=row.setid,
        destination=row.destination,
        socket=row.socket,
        state=row.state,
        probe_mode=row.probe_mode,
        # What is said of a weight quotes it, and every viewer reads that.
        weight=mask_weight(row.weight),
        priority=row.priority,
        attrs=row.attrs,
        description=row.description,
        id=row.id,
    )
