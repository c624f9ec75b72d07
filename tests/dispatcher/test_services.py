"""Writes to the table: what is named, what is guarded, what the audit keeps."""

from dataclasses import asdict, replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dispatcher import selectors, services
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from efcp.audit.models import AuditRecord
from efcp.editing import repository
from efcp.editing.repository import RowChangedError, RowGoneError
from tests.conftest import AddRow
from tests.dispatcher.conftest import SOMEBODY


def stored(row_id: int) -> DestinationRow:
    return DestinationRow.of(Destination.objects.get(pk=row_id))


def changed(values: DestinationRow, column: str, value: Any) -> DestinationRow:
    return DestinationRow(**(asdict(values) | {column: value}))


def test_an_ordinary_add_names_exactly_the_eight_columns_of_the_old_panel(
    db: None, django_assert_num_queries: object
) -> None:
    with CaptureQueriesContext(connection) as queries:
        services.add(DestinationRow(setid=1, destination="sip:10.0.0.1"), SOMEBODY)
    inserts = [query["sql"] for query in queries if query["sql"].startswith("INSERT INTO dispatcher")]
    assert len(inserts) == 1
    columns = inserts[0].partition("(")[2].partition(")")[0]
    assert columns == "setid, destination, socket, state, weight, attrs, probe_mode, description"


def test_an_add_with_a_priority_names_it_besides(add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1", priority=7)
    assert Destination.objects.get(pk=row_id).priority == 7


def test_an_update_writes_only_the_changed_column(add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1")
    before = stored(row_id)
    with CaptureQueriesContext(connection) as queries:
        services.update(row_id, before, replace(before, weight="5"), SOMEBODY)
    updates = [query["sql"] for query in queries if query["sql"].startswith("UPDATE dispatcher")]
    written = [sql.partition(" SET ")[2].partition(" WHERE ")[0] for sql in updates]
    assert [assignment.partition(" = ")[0] for assignment in written] == ["weight"]


def test_a_state_that_the_proxy_wrote_meanwhile_is_not_overwritten(add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1")
    before = stored(row_id)
    Destination.objects.filter(pk=row_id).update(state=2)
    services.update(row_id, before, replace(before, weight="5"), SOMEBODY)
    assert (stored(row_id).state, stored(row_id).weight) == (2, "5")


def test_two_editors_of_different_columns_both_get_their_way(add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1")
    before = stored(row_id)
    services.update(row_id, before, replace(before, weight="5"), SOMEBODY)
    services.update(row_id, before, replace(before, description="mine"), SOMEBODY)
    assert (stored(row_id).weight, stored(row_id).description) == ("5", "mine")


@pytest.mark.parametrize(
    ("column", "mine", "theirs"),
    [
        ("weight", "5", "6"),
        ("description", "Mine", "mine"),
        ("attrs", "a", "a b"),
        ("socket", None, "udp:10.0.0.9"),
    ],
)
def test_the_second_editor_of_one_column_is_refused_and_shown_what_stands(
    add_row: AddRow, column: str, mine: str | None, theirs: str
) -> None:
    row_id = add_row("sip:10.0.0.1", socket="udp:10.0.0.2")
    before = stored(row_id)
    services.update(row_id, before, changed(before, column, theirs), SOMEBODY)
    with pytest.raises(RowChangedError) as error:
        services.update(row_id, before, changed(before, column, mine), SOMEBODY)
    assert getattr(error.value.current, column) == theirs
    assert getattr(stored(row_id), column) == theirs


@pytest.mark.parametrize("theirs", ["GW", "gé"])
def test_the_guard_sees_a_difference_in_case_or_accent(add_row: AddRow, theirs: str) -> None:
    row_id = add_row("sip:10.0.0.1", attrs=theirs)
    pretended = replace(stored(row_id), attrs=theirs.lower().replace("é", "e"))
    with pytest.raises(RowChangedError):
        services.update(row_id, pretended, replace(pretended, attrs="new"), SOMEBODY)


def test_a_weight_for_one_gateway_is_never_given_to_another(add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1")
    before = stored(row_id)
    services.update(row_id, before, replace(before, destination="sip:10.0.0.2"), SOMEBODY)
    with pytest.raises(RowChangedError):
        services.update(row_id, before, replace(before, weight="5"), SOMEBODY)


def test_editing_a_deleted_row_reports_it(add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1")
    before = stored(row_id)
    services.delete(row_id, before, SOMEBODY)
    with pytest.raises(RowGoneError):
        services.update(row_id, before, replace(before, weight="5"), SOMEBODY)


@pytest.mark.parametrize("destination", ["sip:gw.example.org", "SIP:GW.example.ORG"])
def test_a_second_row_with_the_same_set_and_uri_is_refused(add_row: AddRow, destination: str) -> None:
    first = add_row("sip:gw.example.org")
    with pytest.raises(services.DuplicateDestinationError) as error:
        add_row(destination)
    assert error.value.other_id == first


def test_uris_that_differ_by_more_than_ascii_case_are_two(add_row: AddRow) -> None:
    add_row("sip:É@10.0.0.1")
    add_row("sip:é@10.0.0.1")
    assert Destination.objects.count() == 2


def test_the_same_uri_may_stand_in_two_sets(add_row: AddRow) -> None:
    add_row("sip:10.0.0.1", setid=1)
    add_row("sip:10.0.0.1", setid=2)
    assert Destination.objects.count() == 2


def test_moving_a_row_onto_another_is_refused(add_row: AddRow) -> None:
    add_row("sip:10.0.0.1", setid=2)
    row_id = add_row("sip:10.0.0.1", setid=1)
    before = stored(row_id)
    with pytest.raises(services.DuplicateDestinationError):
        services.update(row_id, before, replace(before, setid=2), SOMEBODY)


def test_every_write_is_in_the_audit_with_before_after_and_reason(add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1")
    before = stored(row_id)
    services.update(row_id, before, replace(before, weight="5"), SOMEBODY, "more calls")
    services.delete(row_id, stored(row_id), SOMEBODY, "gone")
    records = AuditRecord.objects.filter(subject_kind="dispatcher", subject_id=str(row_id)).order_by("id")
    assert [record.action for record in records] == ["add", "edit", "delete"]
    assert [(record.before or {}).get("weight") for record in records] == [None, "1", "5"]
    assert [(record.after or {}).get("weight") for record in records] == ["1", "5", None]
    assert [record.reason for record in records] == ["", "more calls", "gone"]
    assert {(record.actor, record.address) for record in records} == {("somebody", "192.0.2.7")}


def test_a_failing_audit_record_undoes_the_write(add_row: AddRow, monkeypatch: pytest.MonkeyPatch) -> None:
    row_id = add_row("sip:10.0.0.1")

    def fail(*_args: object, **_values: object) -> None:
        raise RuntimeError("the audit's disk is full")

    monkeypatch.setattr(repository, "record", fail)
    with pytest.raises(RuntimeError):
        services.update(row_id, stored(row_id), replace(stored(row_id), weight="5"), SOMEBODY)
    assert stored(row_id).weight == "1"


def test_the_audit_masks_the_password_of_an_fs_weight(add_row: AddRow) -> None:
    add_row("sip:10.0.0.1", weight="fs://u:topsecret@10.0.0.9:8021")
    record = AuditRecord.objects.get(subject_kind="dispatcher")
    assert record.after is not None
    assert record.after["weight"] == "fs://u:•••@10.0.0.9:8021"


def test_an_untouched_null_stays_null(add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1")
    Destination.objects.filter(pk=row_id).update(attrs=None, description=None)
    before = stored(row_id)
    services.update(row_id, before, replace(before, weight="5"), SOMEBODY)
    assert (stored(row_id).attrs, stored(row_id).description) == (None, None)


def test_a_set_can_be_named_and_unnamed(db: None) -> None:
    services.name_set(1, "Media VBB", SOMEBODY)
    assert selectors.set_names() == {1: "Media VBB"}
    services.name_set(1, "", SOMEBODY)
    assert selectors.set_names() == {}
