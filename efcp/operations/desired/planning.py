"""Planning: what makes the panel's tables what a document names. Nothing is written here."""

from collections.abc import Mapping
from typing import Any

from efcp.editing.batch import ChangeKind, difference, stored_rows
from efcp.editing.batches import Draft, checked, editor_of
from efcp.editing.findings import Finding, Severity
from efcp.operations.desired.document import (
    MAINTENANCE,
    PROXIES,
    TABLES,
    DesiredGroup,
    DesiredRow,
    DesiredState,
    TableSection,
    default_of,
    placed,
)
from efcp.operations.desired.plan import DesiredPlan, Scope, TablePlan
from efcp.operations.desired.steps import plan_cases, plan_maintenance, plan_names, plan_proxies

MASKED = "•"


def plan_for(desired: DesiredState, scope: Scope | None = None, most_rows: int | None = None) -> DesiredPlan:
    """The plan that makes everything in `scope`, or in the document's sections, as the document has it.

    More changed rows of a table than `most_rows` are an error.
    """
    plan = DesiredPlan(findings=list(desired.findings))
    limits = scope if scope is not None else dict.fromkeys(desired.sections)
    for name in set(limits) - desired.sections:
        text = "is not in the document: an empty section would delete everything in it."
        plan.findings.append(Finding(name, Severity.ERROR, text, "missing"))
    if plan.errors:
        return plan
    if PROXIES in limits:
        plan_proxies(plan, desired.proxies or [])
    for section in TABLES:
        if section.key in limits:
            groups = desired.groups[section.key]
            numbers = limits[section.key]
            if numbers is not None:
                groups = {number: each for number, each in groups.items() if number in numbers}
            _plan_rows(plan, section, groups, numbers, most_rows)
            plan_names(plan, section, groups, numbers)
            if section.has_cases:
                plan_cases(plan, groups, numbers)
    if MAINTENANCE in limits:
        plan_maintenance(plan, desired, limits)
    plan.findings.sort(key=lambda each: each.severity is not Severity.ERROR)
    return plan


def _plan_rows(
    plan: DesiredPlan,
    section: TableSection,
    groups: Mapping[int, DesiredGroup],
    numbers: frozenset[int] | None,
    most_rows: int | None,
) -> None:
    editor, table = editor_of(section.table.name), section.table
    stored = list(stored_rows(table, numbers))
    by_id = {row.id: row for row in stored}
    desired = [(number, row) for number, group in groups.items() for row in group.rows]
    rough = [_plain_row(section, number, row.values) for number, row in desired]
    matched = difference(table, [_plain(section, row) for row in stored], rough, delete_missing=True)
    changed = sum(each.kind is not ChangeKind.SAME for each in matched)
    if most_rows is not None and changed > most_rows:
        text = f"changes {changed:,} rows; one call has at most {most_rows:,}: use manage.py apply."
        plan.findings.append(Finding(section.key, Severity.ERROR, text, "too_many"))
        return
    drafts, places = [], []
    for (number, row), change in zip(desired, matched, strict=False):
        before = None if change.before is None else by_id[change.before.id]
        drafts.append(_draft(section, number, row, before))
        places.append(f"{section.key}.{number}.{section.rows}")
    gone = [Draft(by_id[each.before.id], None) for each in matched[len(desired) :] if each.before is not None]
    found = checked(editor, [*drafts, *gone])
    for result, place in zip(found, places, strict=False):
        for finding in result.findings:
            where = f"{place}.{finding.field}".rstrip(".")
            plan.findings.append(placed(where, result.line, finding.text, finding.code, finding.severity))
    changes = [each.change for each in found if each.change is not None]
    changing = [each for each in changes if each.kind is not ChangeKind.SAME]
    refused = any(each.severity is Severity.ERROR for each in plan.findings)
    effect = [] if refused or not changing else editor.batch_effect(changing)
    plan.tables.append(TablePlan(section, editor.repository, changing, effect))


def _plain_row(section: TableSection, number: int, values: Mapping[str, Any]) -> Any:
    """A desired row for matching: blank texts and masked secrets alike."""
    columns = {
        each.name: each.to_store(values.get(each.name, default_of(each)), each.empty)
        for each in section.columns
    }
    return section.table.row(**columns, **{section.table.key: number})


def _plain(section: TableSection, row: Any) -> Any:
    values = section.table.form_values(row) | {
        each.name: each.mask(getattr(row, each.name)) for each in section.columns if each.mask
    }
    columns = {each.name: each.to_store(values[each.name], each.empty) for each in section.columns}
    return section.table.row(**columns, **{section.table.key: getattr(row, section.table.key)}, id=row.id)


def _draft(section: TableSection, number: int, row: DesiredRow, before: Any) -> Draft[Any]:
    """The change of one row, as its form takes it."""
    table, findings = section.table, []
    former = {} if before is None else table.form_values(before)
    values: dict[str, Any] = {table.key: number}
    for column in section.columns:
        value = row.values.get(column.name, default_of(column))
        if before is not None and column.proxies_write and column.name not in row.values:
            value = former[column.name]
        if value == "" and former.get(column.name, "") is None:
            value = None
        if column.mask and MASKED in str(value) and column.mask(value) == value:
            if before is not None and column.mask(former[column.name]) == value:
                value = former[column.name]
            else:
                text = "The password in it is masked: write it in full."
                findings.append(Finding(column.name, Severity.ERROR, text, "masked"))
        values[column.name] = value
    return Draft(before, values, tuple(findings), row.line)
