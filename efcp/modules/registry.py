"""The OpenSIPS modules that the panel knows, each declared once.

A module's app registers its `PanelModule` when it is ready. Reloads, audit, history and navigation read the
declarations, so that none of them names a module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import models

from efcp.proxies import load_reports

if TYPE_CHECKING:
    from efcp.modules.reloading import ReloadStrategy


class ReloadOutcome(models.TextChoices):
    """What is known of a reload on one proxy."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Reloaded"
    REFUSED = "refused", "Refused"
    NOT_REACHED = "not reached", "Unreachable"
    NOT_SENT = "not sent", "Not sent"
    UNKNOWN = "unknown", "Unknown"
    NO_EFFECT = "no effect", "Not reloaded"


@dataclass(frozen=True, slots=True)
class PanelModule:
    """An OpenSIPS module whose table the panel edits and proxies load.

    `name` is OpenSIPS's own, and the kind of its rows in the audit trail; `rows` is what people call these.
    `list_url`, `reload_url`, `reload_run_url` (with a run's id) and `restore_url` (with an audit record's id)
    are names of URLs; `restore_url` is empty where nothing is restored, and `batch_url` (with the write id of
    audit records) where rows are only edited one by one. `namespaces` are the URL namespaces of its place in
    the navigation.

    `strategy` makes the strategy of one reload; its argument is whether states in memory are kept. With
    `has_partitions`, the panel follows the partition that is set for a proxy, else "default". With
    `has_live_states`, a reload may change states. With `has_sets`, its rows are in sets, to which an
    API token may be limited.
    """

    name: str
    label: str
    rows: str
    list_url: str
    reload_url: str
    reload_run_url: str
    strategy: "Callable[[bool], ReloadStrategy]"
    namespaces: tuple[str, ...] = ()
    restore_url: str = ""
    batch_url: str = ""
    has_partitions: bool = False
    has_live_states: bool = False
    has_sets: bool = False
    view_permission: str = "efcp.view"
    reload_permission: str = "efcp.operate"
    edit_permission: str = "efcp.administer"


_MODULES: dict[str, PanelModule] = {}


def register(module: PanelModule) -> None:
    """Add a module, and have the watcher read its reports of loading."""
    _MODULES[module.name] = module
    load_reports.register(module.name, has_partitions=module.has_partitions)


def find_module(name: str) -> PanelModule | None:
    """The module of this name, if the panel knows it."""
    return _MODULES.get(name)


def module_named(name: str) -> PanelModule:
    """The module of this name. Raises KeyError."""
    return _MODULES[name]


def all_modules() -> tuple[PanelModule, ...]:
    """Every module, in the order of registration."""
    return tuple(_MODULES.values())


def modules_with_live_states() -> list[str]:
    """The names of the modules whose reload may change states."""
    return [module.name for module in _MODULES.values() if module.has_live_states]
