"""Many rows as one change: what differs, and all of it or nothing."""

import random
from dataclasses import replace

import pytest

from dialplan import services as rules
from dialplan.table import RULES
from dialplan.translation.rules import RuleRow
from dispatcher import services as destinations
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from dispatcher.table import DESTINATIONS
from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor, RequestWrites
from efcp.editing.batch import BatchRefusedError, ChangeKind, RowChange, difference, stored_rows, write_all
from tests.factories import SOMEBODY, DestinationFactory


def add(destination: str, **columns: str) -> int:
    return DestinationFactory.create(destination=destination, **columns).pk


def destination_of(chance: random.Random, number: int) -> DestinationRow:
    return DestinationRow(
        setid=chance.randrange(3),
        destination=f"sip:10.0.0.{number}",
        weight=str(chance.randrange(4)),
        priority=chance.randrange(3),
        attrs=chance.choice([None, "", "rate=1"]),
    )


def rule_of(chance: random.Random, _number: int) -> RuleRow:
    return RuleRow(
        dpid=chance.randrange(2),
        pr=chance.randrange(3),
        match_op=1,
        match_exp=chance.choice(["^1$", "^2$"]),
        repl_exp=chance.choice([None, "9"]),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("which", ["dispatcher", "dialplan"])
def test_a_difference_makes_the_table_what_is_desired_and_its_reverse_undoes_it(
    db: None, which: str, seed: int
) -> None:
    chance = random.Random(seed)
    if which == "dispatcher":
        repository, table, make = destinations.REPOSITORY, DESTINATIONS, destination_of
    else:
        repository, table, make = rules.REPOSITORY, RULES, rule_of  # type: ignore[assignment]
    numbers = list(range(12))
    for number in chance.sample(numbers, 7):
        repository.add(make(chance, number), SOMEBODY)
    before = list(stored_rows(table))
    kept = [replace(row, attrs=chance.choice([row.attrs, "new"])) for row in chance.sample(before, 4)]
    names = {table.match_key(row) for row in kept}
    added = [row for number in numbers if table.match_key(row := make(chance, number)) not in names]
    desired = [*kept, *added[:4]]
    changes = difference(table, before, desired, by_id=chance.random() < 0.5, delete_missing=True)
    AuditRecord.objects.all().delete()
    written = write_all(repository, changes, SOMEBODY)

    def values(rows: list[object]) -> list[str]:
        return sorted(repr(table.values(row)) for row in rows)  # type: ignore[arg-type]

    assert values(list(stored_rows(table))) == values(desired)  # type: ignore[arg-type]
    assert AuditRecord.objects.count() == sum(each.kind is not ChangeKind.SAME for each in changes)
    assert {each.kind for each in difference(table, stored_rows(table), desired)} == {ChangeKind.SAME}
    undone = [
        RowChange(row, each.before)
        for each, row in zip(changes, written, strict=True)
        if each.kind is not ChangeKind.SAME
    ]
    write_all(repository, undone, SOMEBODY)
    assert values(list(stored_rows(table))) == values(before)  # type: ignore[arg-type]


def test_one_row_that_others_changed_refuses_the_whole_batch(db: None) -> None:
    ids = [add(f"sip:10.0.0.{number}", weight="1") for number in range(3)]
    rows = list(stored_rows(DESTINATIONS))
    changes = [RowChange(row, replace(row, weight="9")) for row in rows]
    Destination.objects.filter(pk=ids[1]).update(weight="5")
    Destination.objects.filter(pk=ids[2]).delete()
    AuditRecord.objects.all().delete()
    with pytest.raises(BatchRefusedError) as refusal:
        write_all(destinations.REPOSITORY, changes, SOMEBODY)
    assert [each.text for each in refusal.value.conflicts] == [
        "sip:10.0.0.1 in set 1 was changed meanwhile (weight).",
        "sip:10.0.0.2 in set 1 was deleted meanwhile.",
    ]
    assert list(Destination.objects.values_list("weight", flat=True)) == ["1", "5"]
    assert not AuditRecord.objects.exists()


def test_a_second_row_of_one_set_and_uri_is_refused_wherever_the_first_one_is(db: None) -> None:
    add("sip:10.0.0.1")
    add("sip:10.0.0.2")
    one, two = stored_rows(DESTINATIONS)
    new = DestinationRow(setid=1, destination="sip:10.0.0.3")
    changes = [
        RowChange(None, replace(new, destination="SIP:10.0.0.1")),
        RowChange(None, new),
        RowChange(None, replace(new, destination="sip:10.0.0.3 ")),
    ]
    with pytest.raises(BatchRefusedError) as refusal:
        write_all(destinations.REPOSITORY, changes, SOMEBODY)
    assert [each.index for each in refusal.value.conflicts] == [0, 2]
    swapped = [
        RowChange(one, replace(one, destination=two.destination)),
        RowChange(two, replace(two, destination=one.destination)),
    ]
    write_all(destinations.REPOSITORY, swapped, SOMEBODY)
    assert [row.destination for row in stored_rows(DESTINATIONS)] == [two.destination, one.destination]


def test_the_audit_records_of_a_batch_are_numbered_and_a_state_that_a_proxy_wrote_is_no_conflict(
    db: None,
) -> None:
    ids = [add(f"sip:10.0.0.{number}") for number in range(2)]
    rows = list(stored_rows(DESTINATIONS))
    Destination.objects.filter(pk__in=ids).update(state=1)
    actor = Actor("somebody", writes=RequestWrites("w"))
    write_all(
        destinations.REPOSITORY,
        [RowChange(rows[0], None), RowChange(rows[1], replace(rows[1], weight="7"))],
        actor,
        "cleaning up",
    )
    records = AuditRecord.objects.filter(write_id="w").order_by("write_number")
    assert [(each.action, each.write_number, each.reason) for each in records] == [
        ("delete", 1, "cleaning up"),
        ("edit", 2, "cleaning up"),
    ]
    assert list(Destination.objects.values_list("weight", "state")) == [("7", 1)]
