"""Status and reports of the sandbox, as `sr_*` tell them: a ring of each identifier (status_report.c)."""

import time
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

LOADING_RING = 20
EVENTS_RING = 200
CORE_RING = 10


class Status(IntEnum):
    """The numbers of a status; one below 0 is not ready."""

    NO_DATA = -2
    READY = 1


@dataclass(frozen=True, slots=True)
class Report:
    """One report: when (Unix time), and its text."""

    at: int
    text: str

    def listed(self) -> dict[str, object]:
        """The report as MI lists it."""
        return {"Timestamp": self.at, "Date": time.ctime(self.at), "Log": self.text}


@dataclass(slots=True)
class Identifier:
    """One identifier of a group: its status, details of it where it has any, and its reports."""

    name: str
    reports: deque[Report]
    status: Status = Status.READY
    details: str = ""

    def report(self, text: str) -> None:
        """Add a report, in the place of the oldest one where the ring is full."""
        self.reports.append(Report(int(time.time()), text))

    def listed_status(self) -> dict[str, object]:
        """Readiness and status as MI tells them."""
        told: dict[str, object] = {"Readiness": self.status >= 0, "Status": int(self.status)}
        return told | {"Details": self.details} if self.details else told

    def listed_reports(self) -> list[dict[str, object]]:
        """The reports, the oldest first."""
        return [report.listed() for report in self.reports]


@dataclass(slots=True)
class Loading:
    """The identifier of a partition's table: what its loads said, and whether there is data."""

    identifier: Identifier = field(
        default_factory=lambda: Identifier(
            "default", deque(maxlen=LOADING_RING), Status.NO_DATA, "no data loaded"
        )
    )

    def tell_loaded(self, count: str) -> None:
        """Report a load that succeeded; `count` is the proxy's own line."""
        self.identifier.report("starting DB data loading")
        self.identifier.report("DB data loading successfully completed")
        self.identifier.report(count)
        self.identifier.status, self.identifier.details = Status.READY, "data available"

    def tell_failed(self) -> None:
        """Report a load over which the old table was kept."""
        self.identifier.report("starting DB data loading")
        self.identifier.report("DB data loading failed, discarding")


@dataclass(slots=True)
class Reports:
    """The groups `dialplan`, `dispatcher` and `core`, in the proxy's order."""

    dispatcher: Loading = field(default_factory=Loading)
    dialplan: Loading = field(default_factory=Loading)
    events: Identifier = field(
        default_factory=lambda: Identifier("default;events", deque(maxlen=EVENTS_RING))
    )
    core: Identifier = field(
        default_factory=lambda: Identifier("main", deque(maxlen=CORE_RING), details="running")
    )

    def __post_init__(self) -> None:
        self.core.report("initializing")
        self.core.report("initialization completed, ready now")

    def groups(self) -> dict[str, tuple[Identifier, ...]]:
        """The identifiers of each group."""
        return {
            "dialplan": (self.dialplan.identifier,),
            "dispatcher": (self.events, self.dispatcher.identifier),
            "core": (self.core,),
        }

    def tell_switched(self, uri: str, setid: int, status: str, reason: str) -> None:
        """Report a change of a destination's flags."""
        self.events.report(f"DESTINATION <{uri}>, set {setid} switched to [{status}] due to {reason}\n")

    def tell_not_probed(self, uri: str, setid: int) -> None:
        """Report that a destination is never probed and keeps its state, since it is not on loopback."""
        self.events.report(
            f"DESTINATION <{uri}>, set {setid} is not probed: the sandbox sends to loopback only\n"
        )
