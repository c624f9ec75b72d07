"""The desired state: an export differs in nothing; what is applied twice changes nothing the second time."""

import random
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from dialplan import services as rules
from dialplan.cases import services as cases
from dialplan.models import Rule, SavedCase
from dialplan.translation.rules import RuleRow
from dispatcher import names
from dispatcher import services as destinations
from dispatcher.models import Destination, DestinationSet
from dispatcher.routing.rows import DestinationRow
from efcp.audit.models import AuditRecord
from efcp.editing.batch import ChangeKind
from efcp.operations.desired.applying import ApplyRequest, apply
from efcp.operations.desired.document import SECTIONS, parse
from efcp.operations.desired.export import export
from efcp.operations.desired.models import AppliedPlan, ApplyState
from efcp.operations.desired.plan import DesiredPlan, ScopeError, read_scope
from efcp.operations.desired.planning import plan_for
from efcp.operations.desired.steps import PlanOutdatedError
from efcp.operations.desired.yaml_text import YamlError, YamlMapping, YamlScalar, YamlSequence, read, write
from efcp.operations.maintenance import services as maintenance
from efcp.operations.maintenance.models import Maintenance
from efcp.proxies.models import Proxy
from tests.conftest import AddRow
from tests.factories import DestinationFactory, ProxyFactory, RuleFactory
from tests.operations.conftest import SOMEBODY
from tests.operations.fake_proxy import Play

TEXTS = ["", "pstn=yes", "a: b # c", "yes", "030", '"', "Köln", "~", " x", "- y", "1e3", "10:20"]
URI = "sip:10.0.0.1:5060"


@pytest.fixture(autouse=True)
def _no_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "look_up", lambda *_args: names.Lookup(names.Outcome.NO_ANSWER))


def exported(*sections: str) -> str:
    return "\n".join(export(sections or SECTIONS)) + "\n"


def planned(text: str, *only: str) -> DesiredPlan:
    return plan_for(parse(text), read_scope(only))


def applied(plan: DesiredPlan, **how: Any) -> AppliedPlan:
    assert not plan.errors, plan.errors
    handle = apply(plan, ApplyRequest(**how), SOMEBODY)
    assert handle.ended.wait(60)
    handle.run.refresh_from_db()
    return handle.run


def refusals(text: str, *only: str) -> list[str]:
    return [f"{each.field}: {each.text}" for each in planned(text, *only).errors]


def fill(chance: random.Random, *, odd: bool = True) -> None:
    """Store rows, names, test cases, proxies and a maintenance by chance; `odd` ones no form would take."""
    for number in range(chance.randrange(8)):
        row = DestinationRow(
            setid=chance.randrange(3),
            destination=f"sip:10.0.0.{number}",
            weight=chance.choice(["1", "50", *(["", "fs://:secret@10.0.0.9:8021"] if odd else [])]),
            priority=chance.choice([0, 3]),
            attrs=chance.choice([None, *TEXTS]),
            description=chance.choice([None, *TEXTS]),
            socket=chance.choice([None, "", "udp:10.0.0.2:5060"]),
            state=chance.randrange(3),
            probe_mode=chance.randrange(2),
        )
        destinations.add(row, SOMEBODY)
    for _number in range(chance.randrange(6)):
        rule = RuleRow(
            dpid=chance.randrange(2),
            pr=chance.randrange(3),
            match_op=chance.randrange(2),
            match_exp=chance.choice(["^1$", "030", "yes"]),
            match_flags=chance.choice([0, 1, 3]),
            repl_exp=chance.choice([None, "", "9"]),
            attrs=chance.choice([None, *TEXTS]),
            disabled=chance.randrange(2),
        )
        rules.add(rule, SOMEBODY)
    for number in range(chance.randrange(3)):
        destinations.name_set(number, chance.choice(TEXTS).strip() or "West", SOMEBODY)
        cases.save(number, chance.choice(TEXTS[1:]), chance.choice([None, "null", "1"]), SOMEBODY)
    proxies = [
        ProxyFactory.create(name=f"edge-{number}", mi_url=f"http://127.0.0.1:{chance.randrange(80, 90)}/mi")
        for number in range(chance.randrange(3))
    ]
    first = Destination.objects.first()
    if first is not None and proxies:
        begins_at = timezone.now() + timedelta(hours=1)
        maintenance.plan(first, proxies, begins_at, begins_at + timedelta(hours=1), SOMEBODY, "Firmware")


def stored() -> list[Any]:
    """Everything that a document has, ids and order of rows aside."""
    return [
        sorted(Destination.objects.values_list("setid", "destination", "weight", "priority", "state")),
        sorted((each.dpid, each.pr, each.match_exp, each.repl_exp or "") for each in Rule.objects.all()),
        sorted(DestinationSet.objects.values_list("setid", "name")),
        sorted(map(str, SavedCase.objects.values_list("dpid", "input", "expected"))),
        sorted(Proxy.objects.values_list("name", "mi_url", "enabled")),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_an_export_differs_in_nothing(db: None, seed: int) -> None:
    fill(random.Random(seed))
    text = exported()
    assert yaml.safe_load(text)["version"] == 1
    assert planned(text).findings == []
    assert planned(text).lines == []
    assert "secret" not in text


@pytest.mark.parametrize("seed", range(6))
def test_applied_twice_the_second_changes_nothing(db: None, seed: int) -> None:
    fill(random.Random(seed), odd=False)
    text, before = exported(), stored()
    for model in (DestinationSet, SavedCase, Proxy, Maintenance, Destination, Rule):
        model._default_manager.all().delete()
    fill(random.Random(seed + 100), odd=False)
    plan, records = planned(text), AuditRecord.objects.count()
    run = applied(plan, reason="From git")
    assert (run.state, run.change_count) == (ApplyState.WRITTEN, len(plan.lines))
    assert AuditRecord.objects.count() == records + len(plan.lines)
    assert planned(text).lines == []
    assert stored() == before


def test_only_the_chosen_sets_are_compared(db: None) -> None:
    DestinationFactory.create(setid=1, destination=URI)
    DestinationFactory.create(setid=2, destination=URI)
    text = "version: 1\nsets: {2: {name: West}}\n"
    assert [each.label for each in planned(text, "sets=2").lines] == [f"{URI} in set 2", "name of set 2"]
    assert [each.kind for each in planned(text, "sets=1").lines] == [ChangeKind.GONE]
    assert len(planned(text).lines) == 3
    assert refusals(text, "dialplans") == [
        "dialplans: is not in the document: an empty section would delete everything in it."
    ]
    for only in ("frob", "sets=a", "proxies=1", "sets=", "sets=99999999999"):
        with pytest.raises(ScopeError):
            read_scope([only])


REFUSED = {
    "": ["document: line 1: the document is empty."],
    "sets: *a": ["document: line 1: an alias. Write the values out."],
    "version: 1\nsets: &a {}": ["document: line 2: an anchor. Write the values out."],
    "version: !!int 1": ["document: line 1: a tag. Types follow from the names here."],
    "version: 1\n---\nversion: 1": ["document: line 2: a second document."],
    "version: 1\nversion: 1": ["document: line 2: version is there twice."],
    "version: 2": ["version: line 1: must be 1."],
    "[" * 100: ["document: line 1: more than 8 levels."],
    "version: 1\nfrob: 1": [
        "document.frob: line 2: is unknown; known are version, sets, dialplans, maintenance, proxies."
    ],
    "version: 1\nsets: []": ["sets: line 2: must be a mapping of names to values."],
    "version: 1\nsets: {x: {}}": ["sets.x: line 2: is no number of a set."],
    "version: 1\nsets: {1: {destinations: [{weight: 1}]}}": [
        "sets.1.destinations[0].destination: line 2: is missing."
    ],
    "version: 1\nsets: {1: {destinations: [{destination: 'sip:a', state: gone}]}}": [
        "sets.1.destinations[0].state: line 2: must be active, inactive, probing or a whole number."
    ],
    "version: 1\ndialplans: {1: {rules: [{match_exp: x, disabled: 'true'}]}}": [
        "dialplans.1.rules[0].disabled: line 2: must be true or false."
    ],
    "version: 1\nmaintenance: [{set: 1, destination: x, begins_at: 2030-01-01, ends_at: 1, reason: x}]": [
        "maintenance[0].begins_at: line 2: must be a time with its zone, such as 2030-01-31T22:00:00Z.",
        "maintenance[0].ends_at: line 2: must be a time with its zone, such as 2030-01-31T22:00:00Z.",
    ],
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_a_document_that_is_none_is_refused_at_its_line(db: None, text: str) -> None:
    assert refusals(text) == REFUSED[text]


def test_a_document_too_deep_for_the_yaml_library_itself_is_refused(db: None) -> None:
    (refusal,) = refusals("[" * 10_000)
    assert refusal.startswith("document: line 1: ")


def test_what_the_pages_refuse_is_refused_with_its_line(db: None) -> None:
    sandbox = ProxyFactory.create(name="trial", is_sandbox=True)
    text = f"""version: 1
sets:
  1:
    destinations:
      - destination: {URI}
      - destination: SIP:10.0.0.1:5060
      - destination: sip:10.0.0.2
        priority: 70000
      - destination: sip:10.0.0.3
        weight: "fs://:•••@10.0.0.9:8021"
proxies:
  - name: {sandbox.name}
    mi_url: http://127.0.0.1:8888/mi
  - name: x
    mi_url: ftp://x
maintenance:
  - {{set: 5, destination: 'sip:x', begins_at: 2000-01-01T00:00Z, ends_at: 2100-01-01T00:00Z, reason: x}}
"""
    found = refusals(text)
    places = [(each.partition(": ")[0], each.split("line ")[1].partition(":")[0]) for each in found]
    assert {
        ("sets.1.destinations.destination", "6"),
        ("sets.1.destinations.priority", "7"),
        ("sets.1.destinations.weight", "9"),
        ("proxies.trial", "12"),
        ("proxies.x.mi_url", "14"),
        ("maintenance.ends_at", "17"),
        ("maintenance.destination", "17"),
    } <= set(places)
    with pytest.raises(ValueError, match="errors"):
        apply(planned(text), ApplyRequest(), SOMEBODY)


def test_what_changed_since_the_plan_refuses_all_of_it(db: None) -> None:
    for number in (1, 2):
        DestinationFactory.create(setid=1, destination=f"sip:10.0.0.{number}", weight="1")
    destinations.name_set(1, "West", SOMEBODY)
    plan = planned(
        exported("sets").replace("name: West", "name: East").replace("0.1\n", "0.1\n        weight: 7\n")
    )
    assert len(plan.lines) == 2
    Destination.objects.filter(destination="sip:10.0.0.1").update(weight="3")
    with pytest.raises(PlanOutdatedError, match="changed meanwhile"):
        applied(plan)
    Destination.objects.filter(destination="sip:10.0.0.1").update(weight="1")
    destinations.name_set(1, "North", SOMEBODY)
    with pytest.raises(PlanOutdatedError, match="name"):
        applied(plan)
    assert set(Destination.objects.values_list("weight", flat=True)) == {"1"}
    assert not AppliedPlan.objects.exists()


def test_maintenance_is_planned_moved_and_ended(db: None) -> None:
    DestinationFactory.create(setid=1, destination=URI)
    ProxyFactory.create(name="edge-1", enabled=True)
    begins_at = timezone.now() + timedelta(hours=1)
    times = f"begins_at: {begins_at.isoformat()}, ends_at: {{}}"
    item = f"version: 1\nmaintenance: [{{{{set: 1, destination: '{URI}', {times}, reason: Firmware}}}}]\n"
    first, later = (item.format((begins_at + timedelta(hours=each)).isoformat()) for each in (1, 2))
    for text, kind in ((first, ChangeKind.NEW), (later, ChangeKind.CHANGED)):
        plan = planned(text)
        assert [each.kind for each in plan.lines] == [kind]
        applied(plan)
        assert planned(text).lines == []
    assert Maintenance.objects.get().ends_at == begins_at + timedelta(hours=2)
    assert planned(exported()).lines == []
    plan = planned("version: 1\nmaintenance: []\n")
    assert [each.kind for each in plan.lines] == [ChangeKind.GONE]
    applied(plan)
    assert planned("version: 1\nmaintenance: []\n").lines == []


class TestApplyWithReload:
    def test_all_proxies_are_reloaded_the_first_one_alone(self, play: Play, add_row: AddRow) -> None:
        first, second = play(table={1: [URI]}), play(table={1: [URI]})
        first.row("a"), second.row("b")
        plan = planned(f"version: 1\nsets: {{1: {{destinations: [{{destination: '{URI}'}}]}}}}\n")
        run = applied(plan, reload=True)
        assert (run.state, run.message) == (ApplyState.DONE, "")
        assert [len(each.commands_of("ds_reload")) for each in (first, second)] == [1, 1]
        assert [each["module"] for each in run.reloads] == ["dispatcher"]

    def test_a_first_proxy_that_is_not_clean_rolls_the_tables_back(self, play: Play, add_row: AddRow) -> None:
        add_row("sip:10.0.0.7")
        add_row("sip:10.0.0.8", weight="3")
        first, second = play(table={1: [URI]}, reload_refusal="ERROR"), play()
        first.row("a"), second.row("b")
        before, text = stored(), exported("sets")
        destinations_ = f"[{{destination: '{URI}'}}, {{destination: 'sip:10.0.0.8', weight: 5}}]"
        plan = planned(f"version: 1\nsets: {{1: {{name: West, destinations: {destinations_}}}}}\n")
        run = applied(plan, reload=True)
        assert run.state == ApplyState.ROLLED_BACK
        assert run.message == "a did not reload cleanly; it did not reload the former rows cleanly either."
        assert stored() == before
        assert sorted(exported("sets")) == sorted(text)
        assert len(first.commands_of("ds_reload")) == 2
        assert second.commands_of("ds_reload") == []

    def test_what_somebody_changed_meanwhile_is_not_rolled_back(self, play: Play, add_row: AddRow) -> None:
        row_id = add_row("sip:10.0.0.8", weight="3")
        first = play(reload_waits=True, reload_refusal="ERROR")
        first.row("a")
        plan = planned("version: 1\nsets: {1: {destinations: [{destination: 'sip:10.0.0.8', weight: 5}]}}\n")
        handle = apply(plan, ApplyRequest(reload=True), SOMEBODY)
        Destination.objects.filter(pk=row_id).update(weight="9")
        first.released.set()
        assert handle.ended.wait(60)
        handle.run.refresh_from_db()
        assert handle.run.state == ApplyState.NOT_ROLLED_BACK
        assert "changed meanwhile (weight)" in handle.run.message
        assert Destination.objects.get().weight == "9"


class TestCommands:
    @pytest.fixture
    def file(self, db: None, tmp_path: Path) -> Path:
        RuleFactory.create()
        DestinationFactory.create(setid=1, destination=URI)
        return tmp_path / "efcp.yaml"

    def run(self, *arguments: str) -> tuple[int, str]:
        out = StringIO()
        try:
            call_command(*arguments, stdout=out)
        except SystemExit as end:
            return int(str(end.code)), out.getvalue()
        except CommandError as error:
            return error.returncode, str(error)
        return 0, out.getvalue()

    def test_an_export_is_planned_and_applied_with_exit_codes(self, file: Path) -> None:
        file.write_text(self.run("export")[1])
        assert self.run("plan", str(file)) == (0, "No changes: the panel is as the file has it.\n")
        file.write_text(file.read_text().replace(URI, f"{URI}\n        weight: 7"))
        code, text = self.run("plan", str(file))
        assert code == 2
        assert text.startswith(f"~ {URI} in set 1\n    weight: ")
        assert text.endswith("0 to add, 1 to change, 0 to delete.\n")
        code, text = self.run("apply", str(file), "--only", "sets=1")
        assert (code, text.splitlines()[-1]) == (0, "Written.")
        assert self.run("apply", str(file))[0] == 0
        assert AppliedPlan.objects.count() == 1
        assert AuditRecord.objects.filter(action="edit", write_id__isnull=False).count() == 1

    def test_what_can_not_be_read_is_refused(self, file: Path) -> None:
        assert self.run("plan", str(file))[0] == 1
        file.write_bytes(b"\xff\xfe")
        assert self.run("plan", str(file))[0] == 1
        file.write_text("version: 3")
        assert self.run("apply", str(file))[0] == 1
        file.write_text("version: 1\nsets: {}")
        assert self.run("plan", str(file), "--only", "frob")[0] == 1
        assert self.run("apply", str(file), "--first", "nobody")[0] == 1


NODES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
        | st.lists(
            st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(), min_size=1), max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), NODES, min_size=1, max_size=3))
def test_yaml_is_read_as_it_is_written_by_us_and_by_others(value: dict[str, Any]) -> None:
    text = "\n".join(write(value)) + "\n"
    assert yaml.safe_load(text) == value
    assert plain(read(text), value) == value


def plain(node: Any, like: Any) -> Any:
    match node:
        case YamlMapping():
            return {name: plain(inner, like[name]) for name, inner in node.items.items()}
        case YamlSequence():
            return [plain(inner, one) for inner, one in zip(node.items, like, strict=True)]
        case YamlScalar() if like is None:
            return None if node.is_null else node
        case YamlScalar() if isinstance(like, bool):
            return {"true": True, "false": False}[node.text]
        case _:
            return type(like)(node.text)


@given(st.text(max_size=40) | st.text("{}[]:-&*!|>'\"#\n ab12", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(YamlError):
        read(text)
