"""The state of the panel's tables as a document for git: ordered, commented, without secrets."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from django.utils import timezone

from dialplan.models import SavedCase
from efcp.editing.batch import stored_rows
from efcp.operations.desired.document import (
    MAINTENANCE,
    PROXIES,
    SECTIONS,
    TABLES,
    VERSION,
    TableSection,
    default_of,
)
from efcp.operations.desired.yaml_text import write
from efcp.operations.maintenance.models import Maintenance, Phase
from efcp.operations.registry.services import ProxyValues
from efcp.proxies.models import Proxy

_HEAD = """\
# The desired state of an EFCP panel. `efcpctl plan FILE` shows what differs, `efcpctl apply FILE` changes it.
# A section that is here (sets, dialplans, maintenance, proxies) is complete: what is not in it is deleted.
# A section that is not here is left alone. Passwords are never here; those in the panel stay.
"""
_COMMENTS = {
    "sets": "Destinations by set. Left out: weight 1, priority 0, and probing only in the state probing.\n"
    "# Without a state, a destination that is stored keeps its own, since proxies write it.",
    "dialplans": "Rules by dialplan, in the order in which proxies try them, and test cases.",
    MAINTENANCE: "Destinations that are out of service for a time; what is over is ignored.",
    PROXIES: "Proxies, but for the sandbox. A password is entered in the panel.",
}


def export(sections: Iterable[str] = SECTIONS, sets: Iterable[int] | None = None) -> Iterator[str]:
    """The lines of the document; with `sets` only these, and their rows."""
    chosen = set(sections)
    yield from (_HEAD + f"version: {VERSION}").splitlines()
    for section in TABLES:
        if section.key in chosen:
            yield from _section(section.key, _groups(section, sets), section)
    if MAINTENANCE in chosen:
        yield from _section(MAINTENANCE, [_maintenance(each) for each in current_maintenance()])
    if PROXIES in chosen:
        yield from _section(PROXIES, [_proxy(each) for each in managed_proxies()])


def current_maintenance() -> list[Maintenance]:
    """The maintenances that are planned or under way, by their beginning."""
    open_ones = Maintenance.objects.filter(
        ends_at__gt=timezone.now(), on_proxies__step__in=[Phase.PLANNED, Phase.OUT]
    )
    return list(open_ones.distinct().order_by("begins_at", "id").prefetch_related("on_proxies__proxy"))


def managed_proxies() -> list[Proxy]:
    """The proxies that a document lists: the sandbox belongs to the panel."""
    return list(Proxy.objects.filter(is_sandbox=False).order_by("name"))


def _section(key: str, value: Any, section: TableSection | None = None) -> Iterator[str]:
    yield from ("", *f"# {_COMMENTS[key]}".splitlines())
    if not value:
        yield f"{key}: {'{}' if section else '[]'}"
        return
    yield f"{key}:"
    yield from write(value, 1)


def _groups(section: TableSection, sets: Iterable[int] | None) -> dict[int, dict[str, Any]]:
    names = section.names.all()
    limited = set(sets) if sets is not None else None
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for number, name in names.items():
        found[number]["name"] = name
    rows = sorted(stored_rows(section.table, limited), key=lambda row: _order(section, row))
    for row in rows:
        group = found[getattr(row, section.table.key)]
        group.setdefault(section.rows, []).append(_row(section, row))
    for case in SavedCase.objects.order_by("dpid", "id") if section.has_cases else ():
        group = found[case.dpid]
        group.setdefault("cases", []).append({"input": case.input, "expected": case.expected})
    return {number: found[number] for number in sorted(found) if limited is None or number in limited}


def _order(section: TableSection, row: Any) -> tuple[Any, ...]:
    return tuple(
        -getattr(row, name[1:]) if name.startswith("-") else getattr(row, name)
        for name in section.table.in_order
    )


def _row(section: TableSection, row: Any) -> dict[str, Any]:
    values = section.table.form_values(row) | {
        column.name: column.mask(getattr(row, column.name)) for column in section.columns if column.mask
    }
    first = section.table.title
    shown = {first: values[first]}
    for column in section.columns:
        value = values[column.name]
        if column.name != first and ("" if value is None else value) != default_of(column):
            shown[column.name] = section.word(column.name, _number_of(value))
    return shown


def _number_of(value: Any) -> Any:
    """A text such as a weight without quotes, where it is a number as people write it."""
    is_number = isinstance(value, str) and value.isascii() and value.isdigit() and str(int(value)) == value
    return int(value) if is_number else value


def _maintenance(planned: Maintenance) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "set": planned.setid,
        "destination": planned.uri,
        "begins_at": planned.begins_at.isoformat(),
        "ends_at": planned.ends_at.isoformat(),
        "proxies": [each.proxy.name for each in planned.on_proxies.all()],
        "reason": planned.reason,
    }
    return shown | ({"allow_empty_set": True} if planned.allow_empty_set else {})


def _proxy(proxy: Proxy) -> dict[str, Any]:
    values = asdict(ProxyValues.of(proxy))
    shown = {"name": values.pop("name"), "mi_url": values.pop("mi_url")}
    defaults = {"partition": "default", "enabled": True}
    for name, value in values.items():
        if value != defaults.get(name, ""):
            shown[name] = value
    return shown
