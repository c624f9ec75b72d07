"""Many numbers through a dialplan: which logs there are, the question, and the report per rule."""

import csv
import re

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from efcp.audit.services import actor_of
from efcp.jobs.models import JobRun
from efcp.preview import long_work
from efcp.preview.models import CallLog
from efcp.preview.numbers import services
from efcp.preview.numbers.forms import NumbersForm
from efcp.preview.numbers.work import KIND
from efcp.preview.spread.sniffing import Format

SHOWN = 500
LOGS_SHOWN = 50
_NUMBER = re.compile(r"[+-]?\d+", re.ASCII)
# At a cell's begin, and behind what other spreadsheets divide cells at.
_FORMULA = re.compile(r"(\A|[;,|\t\r\n])(?=\s*[=+\-@])|\A(?=[\t\r\n])")
_COLUMNS = ("id", "pr", "match_exp", "hits", "first input", "its output", "numbers that may hit it")


@require_safe
@permission_required("efcp.view", raise_exception=True)
def numbers(request: HttpRequest) -> HttpResponse:
    """The logs that were uploaded, and what was asked of them."""
    context = {
        "logs": CallLog.objects.filter(format=Format.CSV)[:LOGS_SHOWN],
        "runs": JobRun.objects.filter(kind=KIND).defer("result")[:LOGS_SHOWN],
    }
    return render(request, "preview/numbers.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.operate", raise_exception=True)
def ask(request: HttpRequest, log_id: int) -> HttpResponse:
    """Choose a dialplan and a column; a POST begins."""
    log = get_object_or_404(CallLog, pk=log_id, format=Format.CSV)
    initial = {"dpid": 1, "has_header": log.has_header}
    form = NumbersForm(request.POST if request.method == "POST" else None, log, initial=initial)
    if form.is_valid():
        data = form.cleaned_data
        job = services.translate(
            log, data["dpid"], data["column"], actor_of(request), has_header=data["has_header"]
        )
        return redirect("preview:numbers-run", job.pk)
    status = 422 if form.errors else 200
    return render(request, "preview/numbers_log.html", {"log": log, "form": form}, status=status)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def run(request: HttpRequest, job_id: int) -> HttpResponse:
    """How far it is, and what came of it; htmx asks for that part alone while it is under way."""
    job = get_object_or_404(JobRun, pk=job_id, kind=KIND)
    context: dict[str, object] = {}
    if job.result is not None:
        lines = sorted(job.result["rules"], key=lambda line: -line[3])
        most = max((line[3] for line in lines), default=0) or 1
        context = {
            "result": job.result,
            "lines": [(*line[:6], 100 * line[3] / most) for line in lines[:SHOWN] if line[3]],
            "maybe": [line for line in lines if any(line[6:])][:SHOWN],
            "never": [line for line in lines if not (line[3] or any(line[6:]))][:SHOWN],
            "never_count": sum(not (line[3] or any(line[6:])) for line in lines)
            + job.result.get("never_left_out", 0),
        }
    return long_work.show(request, job, "preview/numbers_run.html", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def download(request: HttpRequest, job_id: int) -> HttpResponse:
    """The report per rule as CSV."""
    job = get_object_or_404(JobRun, pk=job_id, kind=KIND)
    if job.result is None:
        raise Http404
    answer = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="rules.csv"'},
    )
    writer = csv.writer(answer)
    writer.writerow(_COLUMNS)
    writer.writerows([_harmless(cell) for cell in line] for line in job.result["rules"])
    return answer


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Cancel it."""
    job = get_object_or_404(JobRun, pk=job_id, kind=KIND)
    long_work.cancel(request, job)
    return redirect("preview:numbers-run", job.pk)


def _harmless(cell: object) -> object:
    """A cell in which no spreadsheet finds a formula; a number may have its sign."""
    if not isinstance(cell, str) or _NUMBER.fullmatch(cell):
        return cell
    return _FORMULA.sub(r"\1'", cell)
