"""Every form that changes something stored is guarded: sent after somebody else's change, it writes nothing.

Each address that takes a POST is in one of two tables here, so that a new one can't be forgotten.
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django import forms
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dialplan import services as rules
from dialplan.cases import services as cases
from dialplan.models import DialplanName, Rule, SavedCase
from dialplan.table import RULES
from dialplan.translation.rules import RuleRow
from dispatcher import services as destinations
from dispatcher.models import Destination, DestinationSet
from dispatcher.routing.rows import DestinationRow
from dispatcher.table import DESTINATIONS
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.services import Actor
from efcp.editing.forms import edit_token
from efcp.editing.table import Column, Table
from efcp.operations.alerts.models import Channel, NotificationRule
from efcp.operations.maintenance.models import Maintenance, MaintenanceOnProxy
from efcp.preview.models import DialplanTarget
from efcp.proxies.models import Proxy
from tests.conftest import ClientAs
from tests.factories import ProxyFactory
from tests.test_hostile_requests import ADDRESSES

OTHER = Actor("other")


@dataclass(frozen=True)
class FormCase:
    """One form: how to make its row, the page it stands on, what another changes meanwhile, what is sent.

    `page` and `address` take the row's primary key where it has one in its address. `changed` are columns
    with the other's values; `sent` are the fields of the stale form.
    """

    make: Callable[[], Model]
    address: str
    sent: dict[str, Any]
    changed: dict[str, Any]
    page: str = ""
    asks_first: bool = False
    """Whether the form shows no row, and only an answer to it carries what it would replace."""
    page_takes: Callable[[Any], list[Any]] = field(default=lambda row: [row.pk])
    address_takes: Callable[[Any], list[Any]] = field(default=lambda row: [row.pk])


def _destination() -> Destination:
    pk = destinations.add(DestinationRow(setid=1, destination="sip:10.0.0.1"), OTHER)
    return Destination.objects.get(pk=pk)


def _rule() -> Rule:
    first = rules.add(RuleRow(dpid=1, match_exp="^1", repl_exp="a"), OTHER)
    rules.add(RuleRow(dpid=1, match_exp="^2", repl_exp="b"), OTHER)
    return Rule.objects.get(pk=first)


def _case() -> SavedCase:
    _rule()
    return cases.save(1, "1", "fails", OTHER)


def _user() -> User:
    return User.objects.create(username="bob", role=Role.VIEWER, password="!")


def _notification() -> NotificationRule:
    return NotificationRule.objects.create(
        name="day",
        channel=Channel.EMAIL,
        recipients="a@example.org",
        states=["probing"],
        since=timezone.now(),
    )


def _proxy() -> Proxy:
    return ProxyFactory.create(name="edge")


def _target() -> DialplanTarget:
    _rule()
    return DialplanTarget.objects.create(dpid=1, setid=1)


def _maintenance() -> Maintenance:
    now = timezone.now()
    planned = Maintenance.objects.create(
        destination_id=1, setid=1, uri="sip:a", actor="x", begins_at=now, ends_at=now + timedelta(hours=1)
    )
    MaintenanceOnProxy.objects.create(maintenance=planned, proxy=_proxy())
    return planned


def _nothing(_row: Model) -> list[Any]:
    return []


NEW_PASSWORD = {"new_password": "three green kettles", "repeated_password": "three green kettles"}
ROW = {
    "setid": "1",
    "destination": "sip:10.0.0.1",
    "state": "0",
    "weight": "7",
    "probe_mode": "0",
    "priority": "0",
}
RULE = {
    "dpid": "1",
    "pr": "0",
    "match_op": "1",
    "match_exp": "^1",
    "repl_exp": "mine",
    "subst_exp": "",
    "attrs": "",
}
PROXY = {"name": "mine", "mi_url": "http://127.0.0.1:9/mi", "partition": "default", "enabled": "on"}
SOON = {"ends_at": timezone.now() + timedelta(hours=5)}

GUARDED = {
    "accounts:edit-user": FormCase(
        _user, "accounts:edit-user", {"role": "operator", "is_active": "on"}, {"is_active": False}
    ),
    "accounts:user-password": FormCase(_user, "accounts:user-password", NEW_PASSWORD, {"password": "!other"}),
    "accounts:delete-user": FormCase(_user, "accounts:delete-user", {}, {"role": Role.ADMINISTRATOR}),
    "dispatcher:edit": FormCase(_destination, "dispatcher:edit", ROW, {"weight": "9"}),
    "dispatcher:delete": FormCase(_destination, "dispatcher:delete", {}, {"description": "theirs"}),
    "dispatcher:name-set": FormCase(
        lambda: DestinationSet.objects.create(setid=1, name="media"),
        "dispatcher:name-set",
        {"name": "mine"},
        {"name": "theirs"},
    ),
    "dialplan:edit": FormCase(_rule, "dialplan:edit", RULE, {"repl_exp": "theirs"}),
    "dialplan:delete": FormCase(_rule, "dialplan:delete", {}, {"repl_exp": "theirs"}),
    "dialplan:disabled": FormCase(
        _rule,
        "dialplan:disabled",
        {"disabled": "1"},
        {"match_exp": "^3"},
        "dialplan:list",
        page_takes=_nothing,
    ),
    "dialplan:move": FormCase(
        _rule, "dialplan:move", {"behind": "2"}, {"match_exp": "^3"}, "dialplan:list", page_takes=_nothing
    ),
    "dialplan:name": FormCase(
        lambda: DialplanName.objects.create(dpid=1, name="out"),
        "dialplan:name",
        {"name": "mine"},
        {"name": "theirs"},
    ),
    "dialplan:save-case": FormCase(
        _case,
        "dialplan:save-case",
        {"input": "1", "expected": "mine"},
        {"expected": "theirs"},
        "dialplan:cases",
        page_takes=lambda row: [row.dpid],
        address_takes=lambda row: [row.dpid],
    ),
    "dialplan:delete-case": FormCase(
        _case,
        "dialplan:delete-case",
        {},
        {"expected": "theirs"},
        "dialplan:cases",
        page_takes=lambda row: [row.dpid],
    ),
    "notifications:edit": FormCase(
        _notification,
        "notifications:edit",
        {"name": "mine", "states": ["inactive"], "min_active": "1", "after_s": "5", "channel": "webhook"}
        | {"url": "http://127.0.0.1:9/", "secret": "s" * 20},
        {"after_s": 600},
    ),
    "notifications:delete": FormCase(_notification, "notifications:delete", {}, {"enabled": False}),
    "operations:maintenance-end": FormCase(
        _maintenance, "operations:maintenance-end", {}, SOON, "operations:maintenance", page_takes=_nothing
    ),
    "operations:maintenance-extend": FormCase(
        _maintenance,
        "operations:maintenance-extend",
        {"minutes": "5"},
        SOON,
        "operations:maintenance",
        page_takes=_nothing,
    ),
    "preview:delete-target": FormCase(
        _target, "preview:delete-target", {}, {"setid": 2}, "preview:routes", page_takes=_nothing
    ),
    "preview:save-target": FormCase(
        _target,
        "preview:save-target",
        {"dpid": "1", "attributes": "", "setid": "9", "algorithm": "4", "flags": ""},
        {"setid": 2},
        "preview:routes",
        asks_first=True,
        page_takes=_nothing,
        address_takes=_nothing,
    ),
    "proxies:edit": FormCase(_proxy, "proxies:edit", PROXY, {"mi_url": "http://127.0.0.1:10/mi"}),
    "proxies:delete": FormCase(_proxy, "proxies:delete", {}, {"mi_url": "http://127.0.0.1:10/mi"}),
}

UNGUARDED = {
    "accounts:add-user": "makes something new",
    "accounts:add-token": "makes something new",
    "accounts:revoke-token": "revoking twice is revoking",
    "dispatcher:add": "makes something new",
    "dialplan:add": "makes something new",
    "dispatcher:several": "makes a batch, which is confirmed later",
    "dispatcher:import_rows": "makes a batch, which is confirmed later",
    "dispatcher:import_columns": "checks a file, and writes nothing to the table",
    "dispatcher:apply_batch": "is guarded row by row, by the rows that the page shows",
    "dispatcher:check_batch": "compares with the table again, and writes nothing",
    "dispatcher:undo_batch": "makes a batch, which is confirmed later",
    "dispatcher:discard_batch": "discarding twice is discarding",
    "dialplan:several": "makes a batch, which is confirmed later",
    "dialplan:import_rows": "makes a batch, which is confirmed later",
    "dialplan:import_columns": "checks a file, and writes nothing to the table",
    "dialplan:apply_batch": "is guarded row by row, by the rows that the page shows",
    "dialplan:check_batch": "compares with the table again, and writes nothing",
    "dialplan:undo_batch": "makes a batch, which is confirmed later",
    "dialplan:discard_batch": "discarding twice is discarding",
    "notifications:add": "makes something new",
    "notifications:acknowledge": "acknowledging twice is acknowledging",
    "notifications:silences": "makes something new",
    "notifications:end-silence": "ending twice is ending",
    "proxies:add": "makes something new",
    "operations:maintenance-begin": "makes something new",
    "preview:distribution-upload": "makes something new",
    "script:check": "keeps the routes of the script that is sent, in place of those of the same name",
    "accounts:time-zone": "is the user's own",
    "dispatcher:settings": "is the user's own",
    "dialplan:settings": "is the user's own",
    "accounts:preferences": "is the user's own",
    "panel:hide-first-steps": "is the user's own",
    "accounts:browser-time-zone": "is the user's own",
    "accounts:sign-in": "changes nothing that is edited",
    "accounts:sign-out": "changes nothing that is edited",
    "accounts:password": "is guarded by the current password",
    "accounts:choose-password": "is guarded by the link, which is good once",
    "accounts:second-factor": "changes nothing that is edited",
    "accounts:passkey-sign-in": "changes nothing that is edited",
    "accounts:confirm": "changes nothing that is edited",
    "accounts:add-app": "is the user's own",
    "accounts:add-key": "is the user's own",
    "accounts:renew-codes": "is the user's own",
    "accounts:remove-factor": "removing twice is removing",
    "accounts:end-session": "ending twice is ending",
    "accounts:end-sessions": "ending twice is ending",
    "accounts:reset-factors": "resetting twice is resetting",
    "accounts:oidc-link": "links to the user's own",
    "accounts:unlink": "removing twice is removing",
    "accounts:policy": "shows each role's requirements, which the form states in full",
    "operations:set-state": "says the state that is wanted; results tell what it was before",
    "operations:state": "says the state that is wanted; results tell what it was before",
    "operations:undo-state": "an undo is done once, and leaves what changed since",
    "operations:reload": "loads the table as it is",
    "operations_dialplan:reload": "loads the table as it is",
    "operations:probe": "sends one request; nothing is changed",
    "dialplan:separate": "goes by the rules as they are, and shows no value that it would replace",
    "notifications:test": "sends a message; nothing is changed",
    "preview:distribution-log-delete": "an uploaded log is never edited",
    "preview:distribution-log-count": "begins a job",
    "preview:distribution-count-cancel": "cancelling twice is cancelling",
    "preview:bulk-translation-log": "begins a job",
    "preview:bulk-translation-cancel": "cancelling twice is cancelling",
}

CHANGE_NOTHING = {
    "dialplan:ask",
    "dialplan:cases-with-rule",
    "dialplan:check",
    "dialplan:try",
    "dialplan:words",
    "dispatcher:check",
    "operations:choose",
    "operations_dialplan:ask-cases",
    "preview:algorithms",
    "preview:call",
    "preview:impact-add",
    "preview:impact-edit",
    "preview:impact-state",
    "proxies:test",
    "proxies:try-edited",
    "proxies:try-new",
    "script:write",
}
"""Previews, checks and questions that take a POST since what they ask is large or secret."""


@pytest.fixture
def administrator(client_as: ClientAs) -> Client:
    Destination.objects.all().delete()
    Rule.objects.all().delete()
    return client_as(Role.ADMINISTRATOR)


def test_each_form_is_guarded_or_has_a_reason(administrator: Client) -> None:
    addresses = {name: reverse(name, args=[1] * numbers) for name, numbers in ADDRESSES}
    take_posts = {
        name
        for name, address in addresses.items()
        if "POST" in administrator.options(address).headers.get("Allow", "")
        and name not in {"home", "preview:home"}
        and not name.startswith("api:")  # tests/api holds every operation to If-Match
    }
    assert take_posts == GUARDED.keys() | UNGUARDED.keys() | CHANGE_NOTHING


@pytest.mark.parametrize("name", GUARDED)
def test_a_stale_form_changes_nothing(administrator: Client, name: str) -> None:
    form, row = GUARDED[name], GUARDED[name].make()
    fields = token_fields(administrator, form, row)
    _change(row, form.changed)
    administrator.post(address_of(form, row), sent_by(form, row) | fields)
    assert stored(row) == _stored_as_changed(row, form.changed)


@pytest.mark.parametrize("name", GUARDED)
def test_a_form_without_what_its_editor_saw_changes_nothing(administrator: Client, name: str) -> None:
    form, row = GUARDED[name], GUARDED[name].make()
    before = stored(row)
    administrator.post(address_of(form, row), sent_by(form, row))
    assert stored(row) == before


@pytest.mark.parametrize("name", GUARDED)
def test_a_current_form_is_carried_out(administrator: Client, name: str) -> None:
    form, row = GUARDED[name], GUARDED[name].make()
    fields = token_fields(administrator, form, row)
    before = stored(row)
    administrator.post(address_of(form, row), sent_by(form, row) | fields)
    assert stored(row) != before


TABLES = [("dispatcher:edit", DESTINATIONS, "description"), ("dialplan:edit", RULES, "attrs")]


@pytest.mark.parametrize(("name", "table", "column"), TABLES)
def test_a_form_of_a_version_without_a_column_leaves_that_column(
    administrator: Client, name: str, table: Table[Any], column: str
) -> None:
    form, row = GUARDED[name], GUARDED[name].make()
    _change(row, {column: "theirs"})
    row.refresh_from_db()
    before = stored(row)
    older = replace(table, columns=tuple(each for each in table.columns if each.name != column))
    fields = {field: value for field, value in form.sent.items() if field != column}
    administrator.post(address_of(form, row), fields | {"original": edit_token(older, table.row.of(row))})
    assert stored(row) != before
    row.refresh_from_db()
    assert getattr(row, column) == "theirs"


@pytest.mark.parametrize(("name", "table", "column"), TABLES)
def test_a_form_of_a_version_with_another_column_changes_nothing(
    administrator: Client, name: str, table: Table[Any], column: str
) -> None:
    form, row = GUARDED[name], GUARDED[name].make()
    before = stored(row)
    newer = replace(table, columns=(*table.columns, Column("added", forms.CharField())))
    of_newer = SimpleNamespace(**asdict(table.row.of(row)), added="x")
    answer = administrator.post(
        address_of(form, row), form.sent | {"added": "x", "original": edit_token(newer, of_newer)}
    )
    assert answer.status_code < 500
    assert stored(row) == before


def address_of(form: FormCase, row: Model) -> str:
    return reverse(form.address, args=form.address_takes(row))


def sent_by(form: FormCase, row: Model) -> dict[str, Any]:
    if "behind" not in form.sent:
        return form.sent
    return {"behind": str(Rule.objects.exclude(pk=row.pk).get().pk)}


def token_fields(client: Client, form: FormCase, row: Model) -> dict[str, str]:
    """What the form carries of what its editor sees, as its page has it."""
    if form.asks_first:
        page = client.post(address_of(form, row), sent_by(form, row))
    else:
        page = client.get(reverse(form.page or form.address, args=form.page_takes(row)))
    return _hidden_fields(page.content.decode(), address_of(form, row))


def _hidden_fields(page: str, address: str) -> dict[str, str]:
    """The hidden fields of the form that is sent to `address`; one without an action goes to its page."""
    forms = re.findall(r"<form[^>]*method=\"post\"[^>]*>.*?</form>", page, re.DOTALL)
    mine = [form for form in forms if f'action="{address}"' in form] or [
        form for form in forms if "action=" not in form.partition(">")[0]
    ]
    found = dict(re.findall(r'<input type="hidden" name="(original)" value="([^"]*)"', " ".join(mine)))
    assert found, f"The form that is sent to {address} carries no edit token."
    return found


def _change(row: Model, changed: dict[str, Any]) -> None:
    """Change the row as somebody else would: by a statement of one's own."""
    names = ", ".join(f"{name} = %s" for name in changed)
    key = row._meta.pk.column if row._meta.pk else "id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {row._meta.db_table} SET {names} WHERE {key} = %s",  # noqa: S608 - our own words
            [*changed.values(), row.pk],
        )


def stored(row: Model) -> dict[str, Any] | None:
    return type(row)._default_manager.filter(pk=row.pk).values().first()


def _stored_as_changed(row: Model, changed: dict[str, Any]) -> dict[str, Any]:
    row.refresh_from_db()
    values = {each.attname: getattr(row, each.attname) for each in row._meta.concrete_fields}
    assert all(str(values[name]) == str(value) for name, value in changed.items())
    return values
