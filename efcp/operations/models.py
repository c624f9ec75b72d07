"""The models of every feature, imported here so that Django finds them."""

from efcp.operations.alerts.models import Notice, NotificationRule, Outage, ProcessBeat, Silence
from efcp.operations.desired.models import AppliedPlan
from efcp.operations.maintenance.models import Maintenance, MaintenanceOnProxy
from efcp.operations.probes.models import ProbeRun
from efcp.operations.reloads.models import ReloadResult, ReloadRun
from efcp.operations.states.models import StateResult, StateRun

__all__ = [
    "AppliedPlan",
    "Maintenance",
    "MaintenanceOnProxy",
    "Notice",
    "NotificationRule",
    "Outage",
    "ProbeRun",
    "ProcessBeat",
    "ReloadResult",
    "ReloadRun",
    "Silence",
    "StateResult",
    "StateRun",
]
