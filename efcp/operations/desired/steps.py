"""What a plan changes beside the rows of tables: names, test cases, proxies and maintenance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from dialplan.cases import services as cases
from dialplan.cases.forms import CaseForm
from dialplan.models import SavedCase
from dispatcher.models import Destination
from efcp.audit.edit_tokens import token_of
from efcp.audit.services import Actor
from efcp.editing.batch import ChangeKind
from efcp.editing.findings import Finding, Severity
from efcp.editing.names import GroupNameForm, GroupNames
from efcp.operations.desired.document import (
    MAINTENANCE,
    PROXIES,
    DesiredGroup,
    DesiredMaintenance,
    DesiredProxy,
    DesiredState,
    TableSection,
    placed,
)
from efcp.operations.desired.export import current_maintenance, managed_proxies
from efcp.operations.desired.plan import DesiredPlan, PlanLine, Scope
from efcp.operations.maintenance import services as maintenance
from efcp.operations.maintenance.forms import MAX_AHEAD, MAX_MINUTES
from efcp.operations.maintenance.models import Maintenance
from efcp.operations.registry import services as registry
from efcp.operations.registry.forms import ProxyForm
from efcp.operations.registry.services import ProxyValues
from efcp.operations.states.selectors import emptied_sets
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import proxies_for_all, watched_proxies
from efcp.sip.uri import uri_key

# Names and test cases.


@dataclass(frozen=True, slots=True)
class NameStep:
    """Another name of a group."""

    section: str
    names: GroupNames
    number: int
    before: str
    after: str

    def line(self) -> PlanLine:
        """It, for people."""
        label = f"name of {self.names.noun} {self.number}"
        return PlanLine(
            self.section, _kind(self.before, self.after), label, {"name": (self.before, self.after)}
        )

    def write(self, actor: Actor, reason: str) -> None:
        """Rename the group. Raises StaleFormError."""
        self._rename(self.before, self.after, actor)

    def undo(self, actor: Actor) -> bool:
        """Give it the name that it had."""
        if self.names.stored(self.number).name != self.after:
            return False
        self._rename(self.after, self.before, actor)
        return True

    def _rename(self, before: str, after: str, actor: Actor) -> None:
        expected = self.names.model(**{self.names.key: self.number, "name": before})
        self.names.rename(self.number, after, actor, token_of(expected))


def _kind(before: object, after: object) -> ChangeKind:
    return ChangeKind.NEW if not before else ChangeKind.CHANGED if after else ChangeKind.GONE


def plan_names(
    plan: DesiredPlan,
    section: TableSection,
    groups: Mapping[int, DesiredGroup],
    numbers: frozenset[int] | None,
) -> None:
    stored = section.names.all()
    for number in sorted(stored.keys() | groups.keys()):
        before = stored.get(number, "")
        after = groups[number].name if number in groups else ""
        if before == after or (numbers is not None and number not in numbers):
            continue
        form = GroupNameForm({"name": after})
        plan.findings += _form_findings(form, f"{section.key}.{number}", 1)
        plan.steps.append(NameStep(section.key, section.names, number, before, after))


def _form_findings(form: Any, place: str, line: int) -> list[Finding]:
    return [
        placed(f"{place}.{name}".removesuffix(".__all__"), line, text, "invalid")
        for name, texts in form.errors.items()
        for text in texts
    ]


@dataclass(frozen=True, slots=True)
class CaseStep:
    """A test case that is added, changed or deleted; `stored` is None where there is none."""

    dpid: int
    input: str
    stored: SavedCase | None
    expected: str | None
    is_gone: bool = False

    def line(self) -> PlanLine:
        """It, for people."""
        kind = ChangeKind.GONE if self.is_gone else ChangeKind.CHANGED if self.stored else ChangeKind.NEW
        before = self.stored.expected if self.stored else None
        label = f"test case {self.input} of dialplan {self.dpid}"
        return PlanLine("dialplans", kind, label, {"expected": (before, self.expected)})

    def write(self, actor: Actor, reason: str) -> None:
        """Save or delete it. Raises StaleFormError and TooManyCasesError."""
        if self.is_gone and self.stored is not None:
            cases.delete(self.stored, actor, token_of(self.stored))
        else:
            token = "" if self.stored is None else token_of(self.stored)
            cases.save(self.dpid, self.input, self.expected, actor, token)

    def undo(self, actor: Actor) -> bool:
        """Put back what was expected before."""
        now = SavedCase.objects.filter(dpid=self.dpid, input=self.input).first()
        if (now is None) is not self.is_gone or (now is not None and now.expected != self.expected):
            return False
        if self.stored is not None:
            cases.save(self.dpid, self.input, self.stored.expected, actor)
        elif now is not None:
            cases.delete(now, actor)
        return True


def plan_cases(plan: DesiredPlan, groups: Mapping[int, DesiredGroup], numbers: frozenset[int] | None) -> None:
    stored = SavedCase.objects.order_by("dpid", "id")
    if numbers is not None:
        stored = stored.filter(dpid__in=numbers)
    left = {(case.dpid, case.input): case for case in stored}
    gone = {key: case for key, case in left.items() if key[1] not in _cases_of(groups, key[0])}
    plan.steps += [CaseStep(*key, case, None, is_gone=True) for key, case in gone.items()]
    for dpid, group in groups.items():
        if len(group.cases) > cases.MAX_CASES:
            text = f"A dialplan can have at most {cases.MAX_CASES} test cases."
            plan.findings.append(Finding(f"dialplans.{dpid}.cases", Severity.ERROR, text, "too_many"))
        for text, expected in group.cases.items():
            case = left.get((dpid, text))
            if case is not None and case.expected == expected:
                continue
            form = CaseForm({"input": text, "expected": expected or "", "nothing": expected is None})
            plan.findings += _form_findings(form, f"dialplans.{dpid}.cases", 1)
            plan.steps.append(CaseStep(dpid, text, case, expected))


def _cases_of(groups: Mapping[int, DesiredGroup], dpid: int) -> Mapping[str, str | None]:
    return groups[dpid].cases if dpid in groups else {}


# Proxies.


@dataclass(frozen=True, slots=True)
class ProxyStep:
    """A proxy that is added, changed or deleted. A stored password stays."""

    stored: Proxy | None
    values: ProxyValues | None

    def line(self) -> PlanLine:
        """It, for people."""
        before = asdict(ProxyValues.of(self.stored)) if self.stored else {}
        after = asdict(self.values) if self.values else {}
        columns = {
            name: (before.get(name), after.get(name))
            for name in before | after
            if before.get(name) != after.get(name)
        }
        name = (after or before)["name"]
        return PlanLine(PROXIES, _kind(before, after), f"proxy {name}", columns)

    def write(self, actor: Actor, reason: str) -> None:
        """Write it. Raises NameTakenError, ProxyGoneError and StaleFormError."""
        if self.stored is None and self.values is not None:
            registry.add_proxy(actor, self.values)
        elif self.stored is not None and self.values is not None:
            registry.change_proxy(actor, self.stored.pk, self.values, None, token_of(self.stored))
        elif self.stored is not None:
            registry.delete_proxy(actor, self.stored.pk, token_of(self.stored))

    def undo(self, actor: Actor) -> bool:
        """Nothing: which proxies there are has no part in why a reload was not clean."""
        return True


def plan_proxies(plan: DesiredPlan, desired: Sequence[DesiredProxy]) -> None:
    left = {proxy.name: proxy for proxy in managed_proxies()}
    sandboxes = set(Proxy.objects.filter(is_sandbox=True).values_list("name", flat=True))
    names: set[str] = set()
    for each in desired:
        name = each.values.get("name", "")
        if name in sandboxes or name in names:
            text = "is the panel's own sandbox." if name in sandboxes else "is there twice."
            plan.findings.append(placed(f"{PROXIES}.{name}", each.line, text, "taken"))
            continue
        names.add(name)
        stored = left.pop(name, None)
        form = ProxyForm({"partition": "default", "enabled": True, **each.values}, proxy=stored)
        if not form.is_valid():
            plan.findings += _form_findings(form, f"{PROXIES}.{name}", each.line)
        elif stored is None or ProxyValues.of(stored) != form.values():
            plan.steps.append(ProxyStep(stored, form.values()))
    plan.steps += [ProxyStep(proxy, None) for proxy in left.values()]


# Maintenance.


@dataclass(frozen=True, slots=True)
class MaintenanceStep:
    """A maintenance that is planned, ends at another time, or at once where it is not desired any more."""

    stored: Maintenance | None
    desired: DesiredMaintenance | None
    proxies: tuple[str, ...] = ()

    def line(self) -> PlanLine:
        """It, for people."""
        before = self.stored.ends_at.isoformat() if self.stored else None
        after = self.desired.ends_at.isoformat() if self.desired else None
        columns: dict[str, tuple[Any, Any]] = {"ends_at": (before, after)}
        if self.stored is None and self.desired is not None:
            columns["begins_at"] = (None, self.desired.begins_at.isoformat())
            columns["proxies"] = (None, list(self.proxies))
        label = f"maintenance of {self._uri()}"
        return PlanLine(MAINTENANCE, _kind(before, after), label, columns)

    def _uri(self) -> str:
        if self.desired is not None:
            return f"{self.desired.uri} in set {self.desired.setid}"
        return f"{self.stored.uri} in set {self.stored.setid}" if self.stored is not None else ""

    def write(self, actor: Actor, reason: str) -> None:
        """Plan it, or move its end. Raises StaleFormError, and PlanOutdatedError without its destination."""
        if self.stored is not None:
            token = token_of(self.stored)
            if self.desired is None:
                maintenance.end_now(self.stored, actor, token)
            else:
                maintenance.extend(self.stored, self.desired.ends_at, actor, token)
        elif self.desired is not None:
            self._plan(self.desired, actor)

    def _plan(self, desired: DesiredMaintenance, actor: Actor) -> None:
        row = _destination(desired)
        if row is None:
            raise PlanOutdatedError(f"{self._uri()} is not there any more.")
        maintenance.plan(
            row,
            list(Proxy.objects.filter(name__in=self.proxies)),
            desired.begins_at,
            desired.ends_at,
            actor,
            desired.reason,
            allow_empty_set=desired.allow_empty_set,
        )

    def undo(self, actor: Actor) -> bool:
        """Nothing: a maintenance goes on whatever the table is."""
        return True


class PlanOutdatedError(Exception):
    """Somebody changed what the plan changes; nothing was written."""


def _destination(desired: DesiredMaintenance) -> Destination | None:
    rows = Destination.objects.filter(setid=desired.setid).order_by("id")
    key = uri_key(desired.uri)
    return next((row for row in rows.iterator(500) if uri_key(row.destination) == key), None)


def plan_maintenance(plan: DesiredPlan, desired: DesiredState, scope: Scope) -> None:
    stored = {
        _maintenance_key(
            each.setid, each.uri, each.begins_at, [on.proxy.name for on in each.on_proxies.all()]
        ): each
        for each in current_maintenance()
    }
    everywhere = tuple(proxies_for_all().values_list("name", flat=True))
    now = timezone.now()
    for each in desired.maintenance or []:
        names = everywhere if each.proxies is None else each.proxies
        found = stored.pop(_maintenance_key(each.setid, each.uri, each.begins_at, names), None)
        if each.ends_at <= now and found is None:
            continue
        if found is None or found.ends_at != each.ends_at:
            findings = list(_maintenance_findings(each, names, desired, scope, is_new=found is None))
            plan.findings += findings
            plan.steps.append(MaintenanceStep(found, each, tuple(names)))
    plan.steps += [MaintenanceStep(each, None) for each in stored.values()]


def _maintenance_key(setid: int, uri: str, begins_at: Any, names: Sequence[str]) -> tuple[Any, ...]:
    return setid, uri_key(uri), begins_at, frozenset(names)


def _maintenance_findings(
    each: DesiredMaintenance, names: Sequence[str], desired: DesiredState, scope: Scope, *, is_new: bool
) -> Iterator[Finding]:
    def refuse(name: str, text: str, code: str) -> Finding:
        return placed(f"{MAINTENANCE}.{name}", each.line, text, code)

    if not timedelta() < each.ends_at - each.begins_at <= timedelta(minutes=MAX_MINUTES):
        yield refuse("ends_at", f"must be at most {MAX_MINUTES // 1440} days after begins_at.", "period")
    if each.begins_at > timezone.now() + MAX_AHEAD:
        yield refuse("begins_at", f"at most {MAX_AHEAD.days} days ahead.", "period")
    if not 0 < len(each.reason) <= 255:
        yield refuse("reason", "must have 1 to 255 characters.", "reason")
    proxies = list(Proxy.objects.filter(name__in=names))
    unknown = (
        set(names)
        - {proxy.name for proxy in proxies}
        - {one.values.get("name") for one in desired.proxies or []}
    )
    if unknown or not names:
        yield refuse("proxies", f"there is no proxy {min(unknown, default='')}.", "unknown")
    row = _destination(each)
    if row is None and not _is_desired(each, desired, scope):
        yield refuse("destination", "is not in the set.", "unknown")
    if row is not None and is_new and not each.allow_empty_set:
        emptied = emptied_sets([row], proxies, watched_proxies())
        if emptied:
            where = emptied[0].where
            text = f"nothing active would be left on {where} of set {each.setid}: see allow_empty_set."
            yield refuse("destination", text, "set_emptied")


def _is_desired(each: DesiredMaintenance, desired: DesiredState, scope: Scope) -> bool:
    numbers = scope.get("sets", frozenset())
    group = desired.groups.get("sets", {}).get(each.setid)
    if group is None or (numbers is not None and each.setid not in numbers):
        return False
    return any(uri_key(row.values.get("destination", "")) == uri_key(each.uri) for row in group.rows)
