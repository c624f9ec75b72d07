"""What the tables of the OpenSIPS Control Panel hold that this panel can take over.

The tables are those of config/db_schema.mysql of opensips-cp 9.3; they are read in this panel's own database
and never written. `plan_import` says what would be taken over; `carry_out` does it, in one transaction.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db import connection, transaction

from dialplan.services import name_dialplan
from dialplan.table import DIALPLAN_NAMES
from dispatcher.services import name_set
from dispatcher.table import SET_NAMES
from efcp.accounts.models import User
from efcp.accounts.password_links import link_for
from efcp.accounts.roles import Role
from efcp.accounts.services import UserNameTakenError, add_external_user
from efcp.audit.services import Actor
from efcp.editing.listing import SIZES
from efcp.editing.table import MAX_INT
from efcp.operations.registry.forms import ProxyForm
from efcp.operations.registry.services import NameTakenError, ProxyValues, add_proxy
from efcp.proxies.models import Proxy

ACTOR = Actor("(manage.py importpanel)")
MOST_ROWS = 1_000
_TABLES = ("ocp_boxes_config", "ocp_system_config", "ocp_admin_privileges", "ocp_tools_config")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
_TOOLS = {"dispatcher", "dialplan"}
_ROLE_NOTES = {
    Role.VIEWER: "viewer",
    Role.OPERATOR: "operator: reloads and sets states; editing tables takes an administrator",
    Role.ADMINISTRATOR: "administrator",
}


class Decision(StrEnum):
    """What is done with something of the old panel's."""

    ADD = "add"
    KEEP = "keep"
    SKIP = "skip"


@dataclass(slots=True)
class ImportStep:
    """One thing of the old panel's: what kind it is, its name, what is done, and why or with what.

    `values` are what `carry_out` needs. `result` is what it gives, such as a link.
    """

    kind: str
    name: str
    decision: Decision
    note: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    result: str = ""


class NoOldPanelError(Exception):
    """The database has no table of the old panel's."""


@dataclass(frozen=True, slots=True)
class OldPanel:
    """The rows of the old panel's tables, by column; settings by module and parameter, those of no box."""

    boxes: Sequence[Mapping[str, Any]]
    systems: Mapping[str, str]
    users: Sequence[Mapping[str, Any]]
    settings: Mapping[tuple[str, str], str]
    box_settings: Mapping[tuple[str, str, str], str]

    def setting(self, module: str, name: str, box: object = "") -> str:
        """A setting of a tool, as stored for a box, else for all; empty where none is stored."""
        return self.box_settings.get((module, name, str(box))) or self.settings.get((module, name), "")


def read_old_panel() -> OldPanel:
    """Read the tables. Raises NoOldPanelError."""
    present = set(connection.introspection.table_names())
    if not present & set(_TABLES):
        raise NoOldPanelError
    boxes, systems, users, settings = (_rows(name) if name in present else [] for name in _TABLES)
    values = {
        (str(each["module"]), str(each["param"]), str(each["box_id"] or "")): _text(each["value"])
        for each in settings
    }
    return OldPanel(
        boxes,
        {str(each["assoc_id"]): str(each["name"] or "") for each in systems},
        users,
        {(module, name): value for (module, name, box), value in values.items() if not box},
        {key: value for key, value in values.items() if key[2]},
    )


def _rows(table: str) -> list[dict[str, Any]]:
    """The first rows of a table, by column in small letters."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} LIMIT {MOST_ROWS}")  # noqa: S608 - our own words
        names = [column[0].lower() for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _text(value: Any) -> str:
    return (
        bytes(value).decode(errors="replace") if isinstance(value, (bytes, memoryview)) else str(value or "")
    )


def plan_import(old: OldPanel) -> list[ImportStep]:
    """What would be taken over, and what not and why; nothing is written."""
    steps = [*_proxies(old), *_users(old)]
    steps += _names(old, "dispatcher", "set name", SET_NAMES.all())
    steps += _names(old, "dialplan", "dialplan name", DIALPLAN_NAMES.all())
    return [*steps, *_other_settings(old)]


def _proxies(old: OldPanel) -> Iterator[ImportStep]:
    taken = set(Proxy.objects.values_list("name", flat=True))
    addresses = {url: name for name, url in Proxy.objects.values_list("name", "mi_url")}
    for box in old.boxes:
        name = _name_of_box(box, old, taken)
        step = ImportStep("proxy", name, Decision.SKIP)
        kind, _, where = str(box.get("mi_conn") or "").partition(":")
        url = where if "://" in where else f"http://{where}"
        if kind.lower() != "json" or not where:
            step.note = "its MI connector is not JSON-RPC over HTTP"
        elif url in addresses:
            step.decision, step.note = Decision.KEEP, f"{url} is the proxy {addresses[url]} already"
        else:
            partition = old.setting("dispatcher", "dispatcher_partition", box.get("id", "")) or "default"
            form = ProxyForm({"name": name, "mi_url": url, "partition": partition, "enabled": "on"})
            if form.is_valid():
                step.decision, step.note = Decision.ADD, f"{url}, partition {partition}{_system(box, old)}"
                step.values = {"name": name, "mi_url": url, "partition": partition}
                taken.add(name)
                addresses[url] = name
            else:
                step.note = f"{url}: {' '.join(str(e) for errors in form.errors.values() for e in errors)}"
        yield step


def _name_of_box(box: Mapping[str, Any], old: OldPanel, taken: set[str]) -> str:
    name = str(box.get("name") or box.get("desc") or f"box {box.get('id')}").strip()[:64]
    system = old.systems.get(str(box.get("assoc_id")), "")
    return f"{name} ({system})"[:64] if name in taken and system else name


def _system(box: Mapping[str, Any], old: OldPanel) -> str:
    system = old.systems.get(str(box.get("assoc_id")), "")
    return f", of the system {system}" if system else ""


def _users(old: OldPanel) -> Iterator[ImportStep]:
    taken = {name.lower() for name in User.objects.values_list("username", flat=True)}
    size = page_size(old)
    for each in old.users:
        name = str(each.get("username") or "")
        step = ImportStep("user", name, Decision.SKIP)
        role = role_of(str(each.get("available_tools") or ""), str(each.get("permissions") or ""))
        blocked = bool(_text(each.get("blocked")).strip())
        if not name or len(name) > 64 or not name.isprintable() or name != name.strip():
            step.note = "its name can't be one here"
        elif name.lower() in taken:
            step.decision, step.note = Decision.KEEP, "a user of this name exists"
        elif role is None:
            step.note = "may use neither dispatcher nor dialplan"
        else:
            step.decision, step.note = Decision.ADD, _ROLE_NOTES[role] + (", blocked" if blocked else "")
            step.values = {"role": role.value, "is_active": not blocked, "page_size": size}
            taken.add(name.lower())
        yield step


def role_of(tools: str, permissions: str) -> Role | None:
    """The nearest role; None for one who may use neither table.

    The old panel stores a list of tools and, in the same order, what may be done in each; `all` for all of
    them. Here only administrators edit tables, and they manage users, too: who had read-write alone becomes
    an operator.
    """
    if permissions.strip() in ("all", "*"):
        return Role.ADMINISTRATOR
    given = dict(zip(map(str.strip, tools.split(",")), map(str.strip, permissions.split(",")), strict=False))
    if tools.strip() in ("all", "*"):
        given = dict.fromkeys(_TOOLS, permissions.split(",")[0].strip())
    found = {given[tool] for tool in _TOOLS if given.get(tool)}
    if "admin" in found:
        return Role.ADMINISTRATOR
    if "read-write" in found:
        return Role.OPERATOR
    return Role.VIEWER if found else None


def page_size(old: OldPanel) -> int:
    """The page size here that is nearest to the old panel's."""
    text = old.setting("dispatcher", "results_per_page") or old.setting("dialplan", "results_per_page")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else SIZES[0]
    return min(SIZES, key=lambda size: abs(size - number))


def _names(old: OldPanel, module: str, kind: str, known: Mapping[int, str]) -> Iterator[ImportStep]:
    for number, name in _groups(old, module):
        step = ImportStep(kind, f"{number}: {name}", Decision.ADD, values={"number": number, "name": name})
        if number in known:
            step.decision, step.note = Decision.KEEP, f"is named {known[number]} already"
        yield step


def _groups(old: OldPanel, module: str) -> Iterator[tuple[int, str]]:
    """The numbers and names of sets or dialplans, out of the settings or the table that they name."""
    try:
        groups = json.loads(old.setting(module, f"{module}_groups") or "{}")
    except (ValueError, RecursionError):
        return
    if not isinstance(groups, dict):
        return
    if old.setting(module, f"{module}_groups_mode") == "database":
        yield from _named_in_table(groups)
        return
    for number, name in list(groups.items())[:MOST_ROWS]:
        yield from _as_name(number, name)


def _named_in_table(groups: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    table, key, name = (str(groups.get(each, "")) for each in ("table", "id", "name"))
    if not all(_IDENTIFIER.fullmatch(each) for each in (table, key, name)):
        return
    if table not in connection.introspection.table_names():
        return
    for row in _rows(table):
        yield from _as_name(row.get(key.lower()), row.get(name.lower()))


def _as_name(number: Any, name: Any) -> Iterator[tuple[int, str]]:
    digits, text = str(number), _text(name).strip()[:64]
    if digits.isascii() and digits.isdigit() and int(digits) <= MAX_INT and text:
        yield int(digits), text


def _other_settings(old: OldPanel) -> Iterator[ImportStep]:
    """What the old panel has set and this one has no setting for."""
    for module in sorted(_TOOLS):
        table = old.setting(module, f"table_{module}")
        if table and table != module:
            note = f"this panel edits the table {module}, the old one edits {table}"
            yield ImportStep("setting", f"table of {module}", Decision.SKIP, note)
    if old.setting("dialplan", "dialplan_attributes_mode") == "0":
        note = "attributes are typed as text here; check boxes have no counterpart"
        yield ImportStep("setting", "attribute check boxes", Decision.SKIP, note)


@transaction.atomic
def carry_out(steps: Sequence[ImportStep]) -> None:
    """Add what is to be added; `result` of a user has the path of the page that sets their password.

    Raises NameTakenError or UserNameTakenError where somebody else was quicker; nothing is written then.
    """
    for step in steps:
        if step.decision is not Decision.ADD:
            continue
        values = step.values
        match step.kind:
            case "proxy":
                add_proxy(ACTOR, ProxyValues(**values, mi_username="", enabled=True))
            case "user":
                user = add_external_user(step.name, Role(values.pop("role")), ACTOR, **values)
                step.result = link_for(user) if user.is_active else ""
            case "set name":
                name_set(values["number"], values["name"], ACTOR)
            case "dialplan name":
                name_dialplan(values["number"], values["name"], ACTOR)


TAKEN_MEANWHILE = (NameTakenError, UserNameTakenError)
"""What `carry_out` raises where somebody else was quicker."""
