"""Batches: many changes of one table that are checked, shown, confirmed, and written together or not at all.

A batch is stored before anything of it is written. One of few rows is checked and written in the request, a
larger one by a job. An undo is a batch of its own.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic

from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor, RequestWrites
from efcp.editing.batch import (
    BatchRefusedError,
    ChangeKind,
    RowChange,
    chunks,
    outdated,
    twins,
    write_all,
)
from efcp.editing.bulk import Action, ColumnEdit, How, edited_values
from efcp.editing.findings import Finding, Severity
from efcp.editing.models import Batch, BatchKind, BatchRow, BatchState
from efcp.editing.table import RowT, Table
from efcp.jobs import running as jobs
from efcp.jobs.job_types import JobLimits, JobType, Progress
from efcp.proxies.locking import retried_on_lock

if TYPE_CHECKING:
    from efcp.editing.views import TableEditor

JOB_KIND = "batch"
LIMITS = JobLimits(memory=600_000_000, time=timedelta(minutes=10))
INLINE_ROWS = 200
"""A batch of at most so many rows is checked and written in the request."""
MAX_ROWS = 100_000
KEPT_FOR = timedelta(days=30)
"""How long a batch can be looked at and undone."""
REFUSED = "refused"
"""The kind of a row that can't be written."""
_STORED_AT_ONCE = 1_000
_WRITTEN = (ChangeKind.NEW.value, ChangeKind.CHANGED.value, ChangeKind.GONE.value)

_editors: dict[str, str] = {}


def register(table: str, editor: str) -> None:
    """Register the editor of a table by its dotted path (called by an app's ready())."""
    _editors[table] = editor


def editor_of(table: str) -> "TableEditor[Any]":
    """The editor of a table. Raises KeyError."""
    editor: TableEditor[Any] = import_string(_editors[table])
    return editor


@dataclass(frozen=True, slots=True)
class Draft(Generic[RowT]):
    """A change that is not checked yet: the row before, and its columns afterwards as a form takes them.

    `values` are None for a row to delete. `findings` are known already; `line` is its line in a file.
    """

    before: RowT | None
    values: Mapping[str, Any] | None
    findings: tuple[Finding, ...] = ()
    line: int = 0


@dataclass(slots=True)
class CheckedChange(Generic[RowT]):
    """A change with its findings; `values` are what was entered, for one that no row comes of."""

    change: RowChange[RowT] | None
    findings: list[Finding]
    before: RowT | None
    values: Mapping[str, Any]
    line: int = 0

    @property
    def kind(self) -> str:
        """What it does to its row, or that it is refused."""
        if self.change is None or any(each.severity is Severity.ERROR for each in self.findings):
            return REFUSED
        return self.change.kind.value


Report = Callable[[int, str], None]
"""Reports progress: how many rows are done, and what is done to them."""


def _no_report(_done: int, _note: str) -> None:
    """Report nothing."""


def checked(
    editor: "TableEditor[RowT]",
    drafts: Iterable[Draft[RowT]],
    report: Report = _no_report,
    extra: Mapping[str, Any] | None = None,
) -> list[CheckedChange[RowT]]:
    """Check drafts by the form of the pages, and against each other.

    `extra` are fields of the form beside the columns, the same for all rows.
    """
    form = editor.batch_form()
    found: list[CheckedChange[RowT]] = []
    for draft in drafts:
        found.append(_checked(editor.table, form, draft, extra or {}))
        report(len(found), "Checking rows")
    return with_twins(editor, found)


def _checked(
    table: Table[RowT], form: Any, draft: Draft[RowT], extra: Mapping[str, Any]
) -> CheckedChange[RowT]:
    before, values = draft.before, draft.values
    if values is None:
        return CheckedChange(RowChange(before, None), list(draft.findings), before, {}, draft.line)
    if draft.findings and any(each.severity is Severity.ERROR for each in draft.findings):
        return CheckedChange(None, list(draft.findings), before, values, draft.line)
    if before is not None and table.form_values(before) == values:
        return CheckedChange(RowChange(before, before), list(draft.findings), before, {}, draft.line)
    form.rebind({**values, **extra}, before)
    row = form.row() if form.is_valid() else None
    findings = [*draft.findings, *_errors_of(form), *form.all_warnings()]
    change = None if row is None else RowChange(before, row)
    return CheckedChange(change, findings, before, {} if row else values, draft.line)


def _errors_of(form: Any) -> Iterator[Finding]:
    for field, errors in form.errors.items():
        for error in errors:
            yield Finding("" if field == "__all__" else field, Severity.ERROR, str(error))


def with_twins(editor: "TableEditor[RowT]", found: list[CheckedChange[RowT]]) -> list[CheckedChange[RowT]]:
    """Add the findings about rows that the table must not hold twice."""
    valid = [each for each in found if each.change is not None and each.kind != REFUSED]
    changes = [each.change for each in valid if each.change is not None]
    for conflict in twins(editor.repository, changes):
        valid[conflict.index].findings.append(Finding(conflict.column, Severity.ERROR, conflict.text))
    return found


def create(
    editor: "TableEditor[Any]",
    kind: BatchKind,
    title: str,
    actor: Actor,
    arguments: Mapping[str, Any],
    *,
    state: BatchState = BatchState.CHECKING,
    reason: str = "",
    undoes: Batch | None = None,
) -> Batch:
    """Store a batch whose rows are not known yet."""
    return Batch.objects.create(
        table=editor.table.name,
        kind=kind,
        state=state,
        title=title[:255],
        reason=reason[:255],
        actor=actor.name,
        address=actor.address,
        token=actor.token,
        created_at=timezone.now(),
        arguments=dict(arguments),
        undoes=undoes,
    )


def start_check(batch: Batch, rows: int) -> None:
    """Check the rows of a batch: now where they are few, else by a job."""
    if rows <= INLINE_ROWS:
        prepare(batch)
        return
    _start_job(batch, f"Check: {batch.title}")


def prepare(batch: Batch, report: Report = _no_report) -> None:
    """Compute, check and store the rows of a batch, which is to be confirmed then."""
    editor = editor_of(batch.table)
    found = _SOURCES[BatchKind(batch.kind)](editor, batch, report)
    store_checked(editor, batch, found, report)


def store_checked(
    editor: "TableEditor[RowT]",
    batch: Batch,
    found: Sequence[CheckedChange[RowT]],
    report: Report = _no_report,
) -> None:
    """Store checked rows as those of the batch."""
    good = [each.change for each in found if each.change is not None and each.kind != REFUSED]
    batch.counts = dict(Counter(each.kind for each in found))
    batch.effect = editor.batch_effect([each for each in good if each.kind is not ChangeKind.SAME])
    with transaction.atomic():
        BatchRow.objects.filter(batch=batch).delete()
        for start, part in zip(
            range(0, len(found), _STORED_AT_ONCE), chunks(found, _STORED_AT_ONCE), strict=True
        ):
            BatchRow.objects.bulk_create(
                _stored_row(editor.table, batch, start + index + 1, each) for index, each in enumerate(part)
            )
        batch.state, batch.conflicts = BatchState.READY, []
        batch.save(update_fields=["state", "counts", "effect", "conflicts"])
    report(len(found), "Checked")


def _stored_row(table: Table[RowT], batch: Batch, number: int, each: CheckedChange[RowT]) -> BatchRow:
    change = each.change
    if change is not None:
        before, after = change.before, change.after
        label = table.label(change.row)
        new = None if after is None else list(table.values(after))
    else:
        before, values = each.before, each.values
        new = [_plain(values.get(column.name)) for column in table.columns]
        label = table.label(before) if before else f"{values.get(table.title, '')}"
    same = each.kind == ChangeKind.SAME.value
    return BatchRow(
        batch=batch,
        number=number,
        kind=each.kind,
        row_id=before.id if before is not None else None,
        label=label[:255],
        line=each.line,
        before=None if before is None or same else list(table.values(before)),
        after=None if same else new,
        findings=[[finding.field, finding.severity.value, finding.text] for finding in each.findings],
    )


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, str)) else str(value)


def _rows_of_edit(editor: "TableEditor[RowT]", batch: Batch, report: Report) -> list[CheckedChange[RowT]]:
    """The chosen rows with the requested edits."""
    arguments = batch.arguments
    rows = chosen_rows(editor.table, arguments["ids"])
    action = Action(arguments["action"])
    if action is Action.DELETE:
        return checked(editor, (Draft(row, None) for row in rows), report)
    edits = [ColumnEdit(column, How(how), value, other) for column, how, value, other in arguments["edits"]]
    drafts = (
        Draft(None if action is Action.CLONE else row, values)
        for row, values in edited_values(editor.table, rows, edits)
    )
    return checked(editor, drafts, report)


def chosen_rows(table: Table[RowT], ids: Sequence[int]) -> list[RowT]:
    """The rows of these ids that are still there, in the table's order."""
    manager = table.model._default_manager
    rows = [
        table.row.of(stored)
        for chunk in chunks(sorted(set(ids)), _STORED_AT_ONCE)
        for stored in manager.filter(pk__in=chunk)
    ]

    def place(row: RowT) -> tuple[int, ...]:
        return tuple(
            -getattr(row, name[1:]) if name.startswith("-") else getattr(row, name) for name in table.in_order
        )

    return sorted(rows, key=place)


def _rows_of_undo(editor: "TableEditor[RowT]", batch: Batch, report: Report) -> list[CheckedChange[RowT]]:
    """What takes the undone batch back: compared with the table as it is, not checked as a form's input."""
    if batch.undoes is None:
        return []
    changes = [each.reversed() for each in stored_changes(editor.table, batch.undoes)]
    found = [CheckedChange(change, [], change.before, {}) for change in changes]
    for conflict in outdated(editor.repository, changes):
        found[conflict.index].findings.append(Finding(conflict.column, Severity.ERROR, conflict.text))
    report(len(found), "Compared with the table")
    return with_twins(editor, found)


def stored_changes(table: Table[RowT], batch: Batch) -> list[RowChange[RowT]]:
    """The changes that a batch writes, in their order; rows that it added have their ids from the audit."""
    added: Iterator[str] = iter(())
    if batch.write_id:
        records = AuditRecord.objects.filter(write_id=batch.write_id, action="add", subject_kind=table.name)
        added = iter(list(records.order_by("write_number").values_list("subject_id", flat=True)))
    names = [column.name for column in table.columns]
    rows = BatchRow.objects.filter(batch=batch, kind__in=_WRITTEN).order_by("number")
    changes = []
    for stored in rows.values_list("kind", "row_id", "before", "after").iterator(_STORED_AT_ONCE):
        kind, row_id, before, after = stored
        own = next(added, None) if kind == ChangeKind.NEW.value else row_id
        one, other = (
            None if values is None else table.row(**dict(zip(names, values, strict=True)), id=_id(own))
            for values in (before, after)
        )
        changes.append(RowChange(one, other))
    return changes


def _id(text: int | str | None) -> int | None:
    return None if text is None else int(text)


_SOURCES: dict[BatchKind, Callable[..., list[CheckedChange[Any]]]] = {
    BatchKind.EDIT: _rows_of_edit,
    BatchKind.UNDO: _rows_of_undo,
}
"""What computes the rows of a batch, by its kind; the import registers itself."""


def register_source(kind: BatchKind, source: Callable[..., list[CheckedChange[Any]]]) -> None:
    """Register what computes and checks the rows of batches of a kind."""
    _SOURCES[kind] = source


class BatchStateError(Exception):
    """The batch is not in the state that this needs; the message is for people."""


def confirm(batch: Batch, actor: Actor) -> None:
    """Write a batch that is ready: now where it is small, else by a job.

    Raises BatchRefusedError, with nothing written, and BatchStateError.
    """
    if batch.total <= INLINE_ROWS:
        _write(batch, actor, BatchState.READY)
        return
    with transaction.atomic():
        _claim(batch, BatchState.READY, BatchState.APPLYING)
        batch.actor, batch.address, batch.token = actor.name, actor.address, actor.token
        batch.save(update_fields=["actor", "address", "token"])
        _start_job(batch, batch.title)


def _claim(batch: Batch, former: BatchState, state: BatchState) -> None:
    """Move the batch from one state to the next. Raises BatchStateError where it is not in that state."""
    if not Batch.objects.filter(pk=batch.pk, state=former).update(state=state):
        raise BatchStateError("This was confirmed or discarded already.")
    batch.state = state


def _write(batch: Batch, actor: Actor, former: BatchState) -> None:
    try:
        _write_in_transaction(batch, actor, former)
    except BatchRefusedError as error:
        Batch.objects.filter(pk=batch.pk).update(
            state=BatchState.REFUSED, conflicts=[[each.index, each.text] for each in error.conflicts]
        )
        raise


@retried_on_lock
def _write_in_transaction(batch: Batch, actor: Actor, former: BatchState) -> None:
    editor = editor_of(batch.table)
    with transaction.atomic():
        _claim(batch, former, BatchState.APPLIED)
        changes = stored_changes(editor.table, batch)
        write_all(editor.repository, changes, actor, batch.reason or batch.title)
        write_id = actor.writes.id if actor.writes else None
        Batch.objects.filter(pk=batch.pk).update(applied_at=timezone.now(), write_id=write_id)


def undo(batch: Batch, actor: Actor) -> Batch:
    """The batch that takes an applied one back, to be confirmed. Raises BatchStateError."""
    if batch.state != BatchState.APPLIED or is_undone(batch):
        raise BatchStateError("Only what was applied, and not undone yet, can be undone.")
    editor = editor_of(batch.table)
    taking_back = create(editor, BatchKind.UNDO, f"Undo: {batch.title}", actor, {}, undoes=batch)
    start_check(taking_back, batch.total)
    return taking_back


def is_undone(batch: Batch) -> bool:
    """Whether a batch was taken back."""
    return batch.undone_by.filter(state=BatchState.APPLIED).exists()


def discard(batch: Batch) -> None:
    """Delete a batch of which nothing was written. Raises BatchStateError."""
    left = Batch.objects.filter(pk=batch.pk).exclude(state__in=(BatchState.APPLIED, BatchState.APPLYING))
    if not left.delete()[0]:
        raise BatchStateError("This is being applied, or was applied.")


def _start_job(batch: Batch, title: str) -> None:
    batch.job = jobs.start(JOB_KIND, title, batch.actor, {"batch": batch.pk})
    batch.save(update_fields=["job"])


def run_batch(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Check a batch, or write it, by its state."""
    batch = Batch.objects.get(pk=arguments["batch"])
    if batch.state == BatchState.APPLYING:
        actor = Actor(batch.actor, batch.address, RequestWrites(), batch.token)
        progress.expect(0, "rows")
        try:
            _write(batch, actor, BatchState.APPLYING)
        except BatchRefusedError as error:
            return {"refused": error.count}
        return {"written": batch.total}
    progress.expect(int(batch.arguments.get("rows", 0)), "rows")
    prepare(batch, progress.report)
    return {"counts": batch.counts}


RUN_BATCH = JobType(JOB_KIND, run_batch, LIMITS)


def delete_old(now: datetime) -> int:
    """Delete batches that can't be undone any more."""
    deleted = 0
    for batch in Batch.objects.filter(created_at__lt=now - KEPT_FOR):
        deleted += batch.delete()[0]
    return deleted
