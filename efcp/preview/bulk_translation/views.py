"""Many numbers through a dialplan: the logs, the question, and the report per rule."""

import csv
import re
from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from efcp.audit.services import actor_of
from efcp.charts.axes import value_axis
from efcp.jobs.models import JobRun
from efcp.preview.bulk_translation.job import KIND, start
from efcp.preview.forms import MAX_SET
from efcp.preview.models import CallLog
from efcp.preview.pages import LOGS_SHOWN, cancel_job, show_job

SHOWN = 500
_NUMBER = re.compile(r"[+-]?\d+", re.ASCII)
# At the start of a cell, and behind what other spreadsheets split cells at.
_FORMULA = re.compile(r"(\A|[;,|\t\r\n])(?=\s*[=+\-@])|\A(?=[\t\r\n])")
_NUMBER_NAMES = (
    "number",
    "called",
    "callednumber",
    "calledparty",
    "dialled",
    "dialed",
    "dialednumber",
    "dnis",
    "destination",
    "dst",
    "callee",
    "touri",
    "to",
)
"""Names of a column of numbers in small letters and digits, the surest first."""

_LIKE_NUMBER = re.compile(r"\A(?:sips?:|tel:)?\+?\d{2,}(?:@|\Z)", re.ASCII)
_COLUMNS = ("id", "pr", "match_exp", "hits", "first input", "its output", "numbers that may hit it")


class BulkTranslationForm(forms.Form):
    """The dialplan, and the column that holds the numbers."""

    dpid = forms.IntegerField(label="Dialplan", min_value=0, max_value=MAX_SET)
    column = forms.TypedChoiceField(label="Number column", coerce=int)
    has_header = forms.BooleanField(label="First line is a header", required=False)

    def __init__(self, data: Any, log: CallLog, **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["column"].choices = list(enumerate(log.columns))  # type: ignore[attr-defined]


def number_column(log: CallLog) -> int:
    """The index of the column that likely holds the numbers: by its name, else by its first rows."""
    plain = ["".join(character for character in name.lower() if character.isalnum()) for name in log.columns]
    named = next((name for name in _NUMBER_NAMES if name in plain), None)
    if named:
        return plain.index(named)
    for index in range(len(log.columns)):
        cells = [row[index] for row in log.first_rows if index < len(row) and row[index]]
        if cells and all(_LIKE_NUMBER.search(cell) for cell in cells[int(log.has_header) :] or cells):
            return index
    return 0


@require_safe
@permission_required("efcp.view", raise_exception=True)
def logs(request: HttpRequest) -> HttpResponse:
    """The uploaded logs, and the translations of these."""
    context = {
        "logs": CallLog.objects.all()[:LOGS_SHOWN],
        "runs": JobRun.objects.filter(kind=KIND).defer("result")[:LOGS_SHOWN],
    }
    return render(request, "preview/bulk_translation.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.operate", raise_exception=True)
def question(request: HttpRequest, log_id: int) -> HttpResponse:
    """Choose a dialplan and a column; a POST starts the job."""
    log = get_object_or_404(CallLog, pk=log_id)
    initial = {"dpid": 1, "has_header": log.has_header, "column": number_column(log)}
    form = BulkTranslationForm(request.POST if request.method == "POST" else None, log, initial=initial)
    if form.is_valid():
        data = form.cleaned_data
        job = start(log, data["dpid"], data["column"], actor_of(request), has_header=data["has_header"])
        return redirect("preview:bulk-translation-run", job.pk)
    status = 422 if form.errors else 200
    return render(request, "preview/bulk_translation_log.html", {"log": log, "form": form}, status=status)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def run(request: HttpRequest, job_id: int) -> HttpResponse:
    """The progress of the job, and its report."""
    job = get_object_or_404(JobRun, pk=job_id, kind=KIND)
    context: dict[str, object] = {}
    if job.result is not None:
        lines = sorted(job.result["rules"], key=lambda line: -line[3])
        most = max((line[3] for line in lines), default=0)
        never = [line for line in lines if not (line[3] or any(line[6:]))]
        context = {
            "result": job.result,
            "lines": [line[:6] for line in lines[:SHOWN] if line[3]],
            "axis": value_axis(most, whole=True),
            "maybe": [line for line in lines if any(line[6:])][:SHOWN],
            "never": never[:SHOWN],
            "never_count": len(never) + job.result.get("never_left_out", 0),
        }
    return show_job(request, job, "preview/bulk_translation_run.html", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def download(request: HttpRequest, job_id: int) -> HttpResponse:
    """The report per rule as CSV."""
    job = get_object_or_404(JobRun, pk=job_id, kind=KIND)
    if job.result is None:
        raise Http404
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="rules.csv"'},
    )
    writer = csv.writer(response)
    writer.writerow(_COLUMNS)
    writer.writerows([_harmless(cell) for cell in line] for line in job.result["rules"])
    return response


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Cancel the job."""
    job = get_object_or_404(JobRun, pk=job_id, kind=KIND)
    cancel_job(request, job)
    return redirect("preview:bulk-translation-run", job.pk)


def _harmless(cell: object) -> object:
    """A cell in which no spreadsheet finds a formula; a number may have its sign."""
    if not isinstance(cell, str) or _NUMBER.fullmatch(cell):
        return cell
    return _FORMULA.sub(r"\1'", cell)
