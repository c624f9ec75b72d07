"""What was read of one proxy at one moment, ready to be stored. No database."""

from dataclasses import dataclass
from datetime import datetime

from efcp.mi import DsList
from efcp.mi.replies import IdentifierReports, ReportList
from efcp.proxies.memory import Memory, memory_of


@dataclass(frozen=True, slots=True)
class Reports:
    """What a proxy reported of one partition: of flags and of loading, None where it keeps none such."""

    asked_at: datetime
    switches: IdentifierReports | None
    loads: IdentifierReports | None

    @classmethod
    def of(cls, listed: ReportList, partition: str, asked_at: datetime) -> "Reports":
        """The reports of `partition` in an answer to sr_list_reports for the group dispatcher."""
        return cls(
            asked_at,
            listed.of("dispatcher", f"{partition};events"),
            listed.of("dispatcher", partition),
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A proxy's memory; `asked_at` is when its list was asked for, `round_trip_s` how long that took.

    `reports` were asked for after the list; None where they were not, or not told.
    """

    memory: Memory
    digest: str
    asked_at: datetime
    round_trip_s: float
    reports: Reports | None = None

    @classmethod
    def of(
        cls, listing: DsList, partition: str, asked_at: datetime, reports: Reports | None = None
    ) -> "Snapshot":
        """The snapshot that a list makes. Raises UnusableListError."""
        memory = memory_of(listing, partition)
        return cls(memory, memory.digest(), asked_at, listing.round_trip_s, reports)
