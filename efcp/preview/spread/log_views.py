"""Pages of uploaded call logs: the upload, which columns hold what, and the count as it goes on."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from efcp.audit.services import actor_of
from efcp.jobs.chores import RESULTS_KEPT_FOR
from efcp.jobs.models import JobRun
from efcp.preview import long_work
from efcp.preview.models import CallLog
from efcp.preview.sources import sources
from efcp.preview.spread import services, uploading
from efcp.preview.spread.bars import Counted
from efcp.preview.spread.fields import guessed
from efcp.preview.spread.forms import LogForm
from efcp.preview.spread.peek import can_read_logs
from efcp.preview.spread.sniffing import NoLogError
from efcp.preview.spread.uploading import LogUploadHandler, ReceivedLog
from efcp.proxies.context import watched_on

LOGS_SHOWN = 50


@require_safe
@permission_required("efcp.view", raise_exception=True)
def logs(request: HttpRequest) -> HttpResponse:
    """The uploaded logs, the recent counts, and the form of an upload."""
    return _show_logs(request)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    """Take a log. The token is checked within, since that reads the body: only now it is known where to."""
    if problem := _not_to_be_read(request):
        return _show_logs(request, problem, status=413)
    handler = LogUploadHandler(request)
    request.upload_handlers = [handler]
    try:
        return _keep(request, handler)
    finally:
        handler.discard()


@require_safe
@permission_required("efcp.view", raise_exception=True)
def log(request: HttpRequest, log_id: int) -> HttpResponse:
    """The first rows of a log, and the question to it."""
    found = get_object_or_404(CallLog, pk=log_id)
    offered = sources(watched_on(request))
    columns = {field.value: str(index) for field, index in guessed(found.columns).items()}
    initial = {"setid": 1, "algorithm": 0, "source": [each.key for each in offered[:2]]}
    initial |= columns | {"has_header": found.has_header}
    return _show_log(request, found, LogForm(None, offered, found.columns, initial=initial))


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def count(request: HttpRequest, log_id: int) -> HttpResponse:
    """Begin to count a log."""
    found = get_object_or_404(CallLog, pk=log_id)
    form = LogForm(request.POST, sources(watched_on(request)), found.columns)
    if not form.is_valid():
        return _show_log(request, found, form)
    keys = [each.key for each in form.sources()]
    job = services.count(found, form.question(), form.reading(), keys, actor_of(request))
    return redirect("preview:spread-count", job.pk)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def delete(request: HttpRequest, log_id: int) -> HttpResponse:
    """Delete a log."""
    found = get_object_or_404(CallLog, pk=log_id)
    services.delete(found, actor_of(request))
    messages.success(request, f"Deleted {found.name}.")
    return redirect("preview:spread-logs")


@require_safe
@permission_required("efcp.view", raise_exception=True)
def run(request: HttpRequest, job_id: int) -> HttpResponse:
    """How far a count is, and what came of it; htmx asks for that part alone while it is under way."""
    job = get_object_or_404(JobRun, pk=job_id, kind=services.KIND)
    context: dict[str, object] = {}
    if job.result is not None:
        context = {"result": job.result, "counted": Counted.from_json(job.result["counted"])}
    return long_work.show(request, job, "preview/spread_run.html", context)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Cancel a count."""
    job = get_object_or_404(JobRun, pk=job_id, kind=services.KIND)
    long_work.cancel(request, job)
    return redirect("preview:spread-count", job.pk)


def _not_to_be_read(request: HttpRequest) -> str:
    if not can_read_logs():
        return "This panel can't read logs: its part for that is not installed (pip install 'efcp[replay]')."
    return uploading.refusal(request)


@csrf_protect
def _keep(request: HttpRequest, handler: LogUploadHandler) -> HttpResponse:
    received = request.FILES.get(uploading.FIELD)
    if not isinstance(received, ReceivedLog):
        return _show_logs(request, handler.problem or "Choose a file.", status=422)
    try:
        kept = services.keep(received, actor_of(request))
    except NoLogError as error:
        return _show_logs(request, f"{received.name}: {error}", status=422)
    handler.claimed = True
    return redirect("preview:spread-log", kept.pk)


def _show_logs(request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
    context: Mapping[str, Any] = {
        "problem": problem,
        "logs": CallLog.objects.all()[:LOGS_SHOWN],
        "runs": JobRun.objects.filter(kind=services.KIND).defer("result")[:LOGS_SHOWN],
        "can_read_logs": can_read_logs(),
        "largest": uploading.largest(),
        "kept_days": services.KEPT_FOR.days,
    }
    return render(request, "preview/spread_logs.html", context, status=status)


def _show_log(request: HttpRequest, found: CallLog, form: LogForm) -> HttpResponse:
    context = {"log": found, "form": form, "kept_days": RESULTS_KEPT_FOR.days}
    return render(request, "preview/spread_log.html", context, status=422 if form.errors else 200)
