"""Status and reports of the sandbox, as `sr_*` tell them: a ring of each identifier (status_report.c)."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

LOADING_RING = 20
EVENTS_RING = 200


@dataclass(frozen=True, slots=True)
class Report:
    """One report: when, and its text."""

    at: datetime
    text: str

    def listed(self) -> dict[str, object]:
        """The report as MI lists it."""
        return {
            "Timestamp": int(self.at.timestamp()),
            "Date": self.at.strftime("%a %b %e %H:%M:%S %Y").replace("  ", " "),
            "Log": self.text,
        }


@dataclass(slots=True)
class Identifier:
    """One identifier of a group: its reports, and details of its status where it has any."""

    name: str
    reports: deque[Report]
    details: str = ""

    def status(self) -> dict[str, object]:
        """Readiness and status; the sandbox is always ready."""
        told: dict[str, object] = {"Readiness": True, "Status": 1}
        return told | {"Details": self.details} if self.details else told


@dataclass(slots=True)
class DispatcherReports:
    """The group `dispatcher`: its events first, then what loading said, as the proxy lists them."""

    events: Identifier = field(
        default_factory=lambda: Identifier("default;events", deque(maxlen=EVENTS_RING))
    )
    loading: Identifier = field(
        default_factory=lambda: Identifier("default", deque(maxlen=LOADING_RING), "data available")
    )

    def identifiers(self) -> tuple[Identifier, Identifier]:
        """Both, in the proxy's order."""
        return self.events, self.loading

    def find(self, name: str) -> Identifier | None:
        """The identifier of this name."""
        return next((each for each in self.identifiers() if each.name == name), None)

    def tell_loaded(self, loaded: int, discarded: int) -> None:
        """Report a load that succeeded."""
        self._tell(self.loading, "starting DB data loading")
        self._tell(self.loading, "DB data loading successfully completed")
        self._tell(self.loading, f"{loaded} destinations loaded ({discarded} discarded)")

    def tell_load_failed(self) -> None:
        """Report a load over which the old table was kept."""
        self._tell(self.loading, "starting DB data loading")
        self._tell(self.loading, "DB data loading failed, discarding")

    def tell_switched(self, uri: str, setid: int, status: str, reason: str) -> None:
        """Report a change of a destination's flags."""
        self._tell(self.events, f"DESTINATION <{uri}>, set {setid} switched to [{status}] due to {reason}\n")

    def tell_not_probed(self, uri: str, setid: int) -> None:
        """Report that a destination is never probed, since it is not on this machine."""
        self._tell(
            self.events,
            f"DESTINATION <{uri}>, set {setid} is not probed: the sandbox sends to loopback only\n",
        )

    def _tell(self, identifier: Identifier, text: str) -> None:
        identifier.reports.append(Report(datetime.now(UTC), text))
