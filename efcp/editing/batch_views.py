"""The pages about batches of a table's rows: edit several, import, review, confirm, undo. HTTP only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect

from efcp.audit.services import actor_of
from efcp.editing import batches
from efcp.editing.batch import BatchRefusedError, RowChange
from efcp.editing.bulk import Action, BulkEditForm, words_of
from efcp.editing.forms import RowForm
from efcp.editing.importing import Foreign, ImportForm, file_of
from efcp.editing.listing import MAX_PAGE, integer
from efcp.editing.models import Batch, BatchKind, BatchRow, BatchState
from efcp.editing.reading import (
    ENCODINGS,
    MAX_BYTES,
    MAX_ROWS,
    UnreadableFileError,
    inspect,
    read_head,
)
from efcp.editing.repository import Repository
from efcp.editing.table import MAX_INT, Column, RowT, Table
from efcp.figures import counted
from efcp.jobs import running as jobs
from efcp.jobs.job_types import JobError
from efcp.jobs.uploads import FileToDiskHandler, ReceivedFile, refusal

ROWS_PER_PAGE = 100
BATCHES_SHOWN = 50
SHOWN_CHOSEN = 20
"""Chosen rows that the form lists."""
MAX_CHOSEN = 1_000
"""Rows that are chosen one by one; more are chosen by a filter."""
KIND_LABELS = {
    "refused": "Refused",
    "new": "New",
    "changed": "Changed",
    "gone": "Deleted",
    "same": "Unchanged",
}


@dataclass(frozen=True, slots=True)
class ShownCell:
    """One column of a row of a batch; `before` and `after` are texts, None where there is no such row."""

    label: str
    before: str | None
    after: str | None
    findings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row of a batch: what differs, and findings about the whole row."""

    row: BatchRow
    kind_label: str
    cells: tuple[ShownCell, ...]
    findings: tuple[tuple[str, str], ...]


class BatchPages(Generic[RowT]):
    """The part of a table's editor that deals with many rows at once."""

    repository: Repository[RowT]
    form: type[RowForm[RowT]]
    list_page: str
    templates: str

    @property
    def table(self) -> Table[RowT]:
        """The table that it edits."""
        return self.repository.table

    # What a module overrides.

    def batch_form(self) -> RowForm[RowT]:
        """The form that checks one row after the other."""
        return self.form({})

    def batch_effect(self, _changes: Sequence[RowChange[RowT]]) -> list[dict[str, Any]]:
        """What the changes do beside the rows: cards of a title, rows of texts, and warnings."""
        return []

    def foreign(self, _columns: Sequence[str]) -> Foreign | None:
        """What makes rows of a file with these columns rows of this table; None where they are."""
        return None

    def matching(self, _request: HttpRequest) -> QuerySet[Any]:
        """The rows that the filters in the address match."""
        return self.table.model._default_manager.all()

    # Pages.

    def several(self, request: HttpRequest) -> HttpResponse:
        """The form about the chosen rows (`id`), or about all that the filters match (`all=1`).

        A POST from the list only chooses rows; one with an action checks the changes, to be confirmed.
        """
        ids = self._chosen(request)
        form = BulkEditForm(self.table, request.POST if "action" in request.POST else None)
        if not form.is_bound or not ids or not form.is_valid():
            status = 422 if form.is_bound and form.errors else 200
            return self._show_several(request, form, ids, status)
        action = Action(form.cleaned_data["action"])
        edits = [[each.column, each.how.value, each.value, each.other] for each in form.edits()]
        arguments = {"ids": ids, "action": action.value, "edits": edits, "rows": len(ids)}
        rows = counted(len(ids), self.table.noun)
        columns = {column.name: column for column in self.table.columns}
        words = "; ".join(words_of(each, columns[each.column]) for each in form.edits())
        title = {
            Action.EDIT: f"Edit {rows}: {words}",
            Action.CLONE: f"Copy {rows}: {words}",
            Action.DELETE: f"Delete {rows}",
        }[action]
        reason = form.cleaned_data["reason"]
        batch = batches.create(self, BatchKind.EDIT, title, actor_of(request), arguments, reason=reason)  # type: ignore[arg-type]
        batches.start_check(batch, len(ids))
        return self.to_batch(batch)

    def _chosen(self, request: HttpRequest) -> list[int]:
        """The ids of the chosen rows, at most MAX_CHOSEN, or MAX_ROWS by filters."""
        if "all" in request.GET:
            rows = self.matching(request).order_by("pk")
            return list(rows.values_list("pk", flat=True)[: batches.MAX_ROWS])
        given = request.POST.getlist("id") or request.GET.getlist("id")
        ids = {found for text in given[:MAX_CHOSEN] if (found := integer(text, 1, MAX_INT)) is not None}
        return sorted(ids)

    def _show_several(
        self, request: HttpRequest, form: BulkEditForm, ids: list[int], status: int
    ) -> HttpResponse:
        by_filter = "all" in request.GET
        context = {
            "editor": self,
            "form": form,
            "count": len(ids),
            "ids": [] if by_filter else ids,
            "by_filter": by_filter,
            "shown": [self.table.label(row) for row in batches.chosen_rows(self.table, ids[:SHOWN_CHOSEN])],
            "has_more": len(ids) > SHOWN_CHOSEN,
        }
        return render(request, "editing/several.html", context, status=status)

    def import_rows(self, request: HttpRequest) -> HttpResponse:
        """The form that uploads a file. `_receive` checks the CSRF token: the upload's handler goes first."""
        if request.method != "POST":
            return self._show_upload(request)
        if problem := refusal(request, MAX_BYTES):
            return self._show_upload(request, problem, 413)
        handler = FileToDiskHandler(request, "file")
        request.upload_handlers = [handler]
        try:
            return self._receive(request, handler)
        finally:
            handler.discard()

    @method_decorator(csrf_protect)
    def _receive(self, request: HttpRequest, handler: FileToDiskHandler) -> HttpResponse:
        received = request.FILES.get("file")
        if not isinstance(received, ReceivedFile):
            return self._show_upload(request, handler.problem or "Choose a file.", 422)
        try:
            file = inspect(received.path, self.table.name)
            read_head(file)
        except UnreadableFileError as error:
            return self._show_upload(request, f"{received.name}: {error}", 422)
        arguments = {
            "token": received.token,
            "format": file.format.value,
            "encoding": file.encoding,
            "delimiter": file.delimiter,
        }
        title = f"Import {received.name}"
        batch = batches.create(
            self,  # type: ignore[arg-type]
            BatchKind.IMPORT,
            title,
            actor_of(request),
            arguments,
            state=BatchState.MAPPING,
        )
        handler.claimed = True
        return redirect(self.address("import_columns", batch.pk))

    def _show_upload(self, request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
        context = {
            "editor": self,
            "problem": problem,
            "most_mb": MAX_BYTES // 1_000_000,
            "most_rows": MAX_ROWS,
        }
        return render(request, "editing/import.html", context, status=status)

    def import_columns(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Match the columns of an uploaded file; a POST checks its rows, to be confirmed."""
        batch = self.find_batch(batch_id)
        if batch.state != BatchState.MAPPING:
            return self.to_batch(batch)
        try:
            return self._match_columns(request, batch)
        except JobError as error:
            batches.discard(batch)
            return self._show_upload(request, str(error), 422)

    def _match_columns(self, request: HttpRequest, batch: Batch) -> HttpResponse:
        file = file_of(batch)
        chosen = request.POST.get("encoding", "")
        if chosen in dict(ENCODINGS):
            file = replace(file, encoding=chosen)
        head = read_head(file)
        form = ImportForm(self.table, head, file, request.POST if "check" in request.POST else None)
        converts = self.foreign(head.columns) is not None
        if not form.is_bound or not form.is_valid():
            context = {"editor": self, "batch": batch, "form": form, "head": head, "file": file}
            context |= {"converts": converts, "discard_url": self.address("discard_batch", batch.pk)}
            return render(request, "editing/import_columns.html", context, status=422 if form.errors else 200)
        batch.arguments |= form.arguments() | {"encoding": file.encoding}
        batch.reason = form.cleaned_data["reason"]
        batch.state = BatchState.CHECKING
        batch.save(update_fields=["arguments", "reason", "state"])
        batches.start_check(batch, len(head.rows) if head.is_whole else MAX_ROWS)
        return self.to_batch(batch)

    def batches(self, request: HttpRequest) -> HttpResponse:
        """The newest batches of the table."""
        found = Batch.objects.filter(table=self.table.name).defer("arguments", "effect", "conflicts")
        context = {"editor": self, "batches": found[:BATCHES_SHOWN], "kept_days": batches.KEPT_FOR.days}
        return render(request, "editing/batches.html", context)

    def batch(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """What a batch changes: sums and effect first, then a page of its rows (`kind`, `page`)."""
        return self.show_batch(request, self.find_batch(batch_id))

    def batch_of_write(self, _request: HttpRequest, write_id: str) -> HttpResponse:
        """Go to the batch that an audit record belongs to."""
        return self.to_batch(get_object_or_404(Batch, write_id=write_id, table=self.table.name))

    def apply_batch(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Confirm a batch: write it, all of it or nothing."""
        batch = self.find_batch(batch_id)
        if batch.counts.get("refused") and "without_refused" not in request.POST:
            messages.error(request, "Not applied: confirm that the refused rows are left out.")
            return self.to_batch(batch)
        try:
            batches.confirm(batch, actor_of(request))
        except BatchRefusedError:
            messages.error(request, "Nothing was written: the table was changed after the check.")
        except batches.BatchStateError as error:
            messages.info(request, str(error))
        else:
            if batch.state == BatchState.APPLIED:
                offer = f"reload-{self.templates}"
                rows = counted(batch.total, self.table.noun)
                text = f"{rows} written. Takes effect on proxies after a reload."
                messages.success(request, text, extra_tags=offer)
        return self.to_batch(batch)

    def check_batch(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Check a batch again that was refused, or whose check did not end."""
        batch = self.find_batch(batch_id)
        if batch.state not in (BatchState.REFUSED, BatchState.CHECKING, BatchState.APPLYING) or _runs(batch):
            return self.to_batch(batch)
        Batch.objects.filter(pk=batch.pk).update(state=BatchState.CHECKING)
        batch.refresh_from_db()
        batches.start_check(batch, int(batch.arguments.get("rows", 0)) or batch.total)
        return self.to_batch(batch)

    def undo_batch(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Make the batch that takes this one back, to be confirmed."""
        batch = self.find_batch(batch_id)
        try:
            return self.to_batch(batches.undo(batch, actor_of(request)))
        except batches.BatchStateError as error:
            messages.info(request, str(error))
            return self.to_batch(batch)

    def discard_batch(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Delete a batch of which nothing was written."""
        batch = self.find_batch(batch_id)
        if batch.job and batch.job.is_under_way:
            jobs.cancel(batch.job)
        try:
            batches.discard(batch)
        except batches.BatchStateError as error:
            messages.info(request, str(error))
            return self.to_batch(batch)
        messages.success(request, "Discarded. Nothing was written.")
        return redirect(self.list_page)

    def find_batch(self, batch_id: int) -> Batch:
        """The batch; a page that does not exist where there is none."""
        found = Batch.objects.select_related("job", "undoes").filter(pk=batch_id, table=self.table.name)
        batch = found.first()
        if batch is None:
            raise Http404
        return batch

    def to_batch(self, batch: Batch) -> HttpResponse:
        """Go to the page of a batch."""
        return redirect(self.address("batch", batch.pk))

    def address(self, name: str, *arguments: Any) -> str:
        """The address of one of the editor's pages."""
        return reverse(f"{self.list_page.partition(':')[0]}:{name}", args=arguments)

    def show_batch(self, request: HttpRequest, batch: Batch) -> HttpResponse:
        """The page of a batch; its part `run` where htmx polls."""
        kind = request.GET.get("kind", "")
        kinds = [
            (name, label, batch.counts[name]) for name, label in KIND_LABELS.items() if name in batch.counts
        ]
        if kind not in batch.counts:
            kind = next((name for name, _label, _count in kinds if name != "same"), "")
        page = integer(request.GET.get("page"), 1, MAX_PAGE) or 1
        rows = BatchRow.objects.filter(batch=batch, kind=kind) if kind else BatchRow.objects.none()
        total = batch.counts.get(kind, 0)
        pages = max(1, -(-total // ROWS_PER_PAGE))
        page = min(page, pages)
        shown = rows.order_by("number")[(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]
        address = partial(self.address, "batch", batch.pk)
        context = {
            "editor": self,
            "batch": batch,
            "runs": _runs(batch),
            "is_abandoned": bool(batch.job and batch.job.is_abandoned(timezone.now())),
            "kinds": kinds,
            "kind": kind,
            "rows": [self._shown(row) for row in shown],
            "page": page,
            "pages": pages,
            "page_address": f"{address()}?kind={kind}&page=",
            "is_undone": batch.state == BatchState.APPLIED and batches.is_undone(batch),
            "url": {name: self.address(name, batch.pk) for name in _ACTIONS},
        }
        part = "#run" if request.headers.get("HX-Target") == "run" else ""
        return render(request, f"editing/batch.html{part}", context)

    def _shown(self, row: BatchRow) -> ShownRow:
        by_column: dict[str, list[tuple[str, str]]] = {}
        for column, severity, text in row.findings:
            by_column.setdefault(column, []).append((severity, text))
        cells = []
        for index, column in enumerate(self.table.columns):
            before, after = (
                None if values is None else column.shown(values[index]) for values in (row.before, row.after)
            )
            findings = tuple(by_column.pop(column.name, ()))
            if findings or self._differs(column, before, after):
                cells.append(ShownCell(str(column.field.label), before, after, findings))
        others = tuple(finding for found in by_column.values() for finding in found)
        return ShownRow(row, KIND_LABELS[row.kind], tuple(cells), others)

    def _differs(self, column: Column, before: str | None, after: str | None) -> bool:
        """Whether a column is worth showing: of a new row where it is no default, of a deleted one never."""
        if after is None or before == after:
            return False
        if before is not None:
            return True
        return column.name not in (self.table.key, self.table.title) and after not in ("", _initial(column))


_ACTIONS = ("batch", "apply_batch", "check_batch", "undo_batch", "discard_batch")


def _runs(batch: Batch) -> bool:
    return bool(batch.job and batch.job.is_under_way and not batch.job.is_abandoned(timezone.now()))


def _initial(column: Column) -> str:
    return column.shown(column.field.initial)
