"""Pages of the distribution: generated calls, uploaded call logs, and counts of these."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from efcp.audit.services import actor_of
from efcp.jobs.cleanup import RESULTS_KEPT_FOR
from efcp.jobs.models import JobRun
from efcp.jobs.uploads import FileToDiskHandler, ReceivedFile, largest, refusal
from efcp.preview.distribution import services
from efcp.preview.distribution.counting import CallCounter, CountResult, generated_calls
from efcp.preview.distribution.forms import DEFAULT_CALLS, GeneratedForm, LogForm
from efcp.preview.distribution.log_formats import NotACallLogError, can_read_logs
from efcp.preview.distribution.question import guess_columns
from efcp.preview.forms import with_defaults
from efcp.preview.models import CallLog
from efcp.preview.pages import LOGS_SHOWN, cancel_job, show_job
from efcp.preview.script_routes import route_choice
from efcp.preview.sources import Source, sources
from efcp.proxies.context import watched_on

_DEFAULTS = {"setid": "1", "algorithm": "0", "calls": str(DEFAULT_CALLS), "seed": "1"}


@require_safe
@permission_required("efcp.view", raise_exception=True)
def generated(request: HttpRequest) -> HttpResponse:
    """The distribution of generated calls, for each chosen source."""
    offered = sources(watched_on(request))
    choice = route_choice(request.GET)
    form = GeneratedForm(_filled(request.GET, offered, choice.defaults()), offered)
    counted = None
    if request.GET and form.is_valid():
        question = form.question()
        counter = CallCounter(form.sources(), question)
        counter.add(generated_calls(question, form.cleaned_data["calls"], form.cleaned_data["seed"]))
        counted = counter.result()
    context = {"form": form, "counted": counted, "route_choice": choice}
    return render(request, "preview/distribution.html", context)


def _filled(query: QueryDict, offered: Sequence[Source], of_route: Mapping[str, str]) -> QueryDict:
    """The query with defaults for what it lacks; those of the chosen route win."""
    filled = with_defaults(query, {**_DEFAULTS, **of_route})
    if "calls" not in query and "source" not in query:
        filled.setlist("source", [each.key for each in offered[:2]])
    return filled


@require_safe
@permission_required("efcp.view", raise_exception=True)
def logs(request: HttpRequest) -> HttpResponse:
    """The uploaded logs, the recent counts, and the upload form."""
    return _show_logs(request)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    """Receive a log. `_keep` checks the CSRF token, which reads the body: the handler has to be set first."""
    if problem := _refusal(request):
        return _show_logs(request, problem, status=413)
    handler = FileToDiskHandler(request, services.FIELD)
    request.upload_handlers = [handler]
    try:
        return _keep(request, handler)
    finally:
        handler.discard()


@require_safe
@permission_required("efcp.view", raise_exception=True)
def log(request: HttpRequest, log_id: int) -> HttpResponse:
    """The first rows of a log, and the form that counts it."""
    found = get_object_or_404(CallLog, pk=log_id)
    offered = sources(watched_on(request))
    columns = {field.value: str(index) for field, index in guess_columns(found.columns).items()}
    initial = {"setid": 1, "algorithm": 0, "source": [each.key for each in offered[:2]]}
    initial |= columns | {"has_header": found.has_header}
    return _show_log(request, found, LogForm(None, offered, found.columns, initial=initial))


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def count(request: HttpRequest, log_id: int) -> HttpResponse:
    """Start to count a log."""
    found = get_object_or_404(CallLog, pk=log_id)
    form = LogForm(request.POST, sources(watched_on(request)), found.columns)
    if not form.is_valid():
        return _show_log(request, found, form)
    keys = [each.key for each in form.sources()]
    job = services.count(found, form.question(), form.log_columns(), keys, actor_of(request))
    return redirect("preview:distribution-count", job.pk)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def delete(request: HttpRequest, log_id: int) -> HttpResponse:
    """Delete a log."""
    found = get_object_or_404(CallLog, pk=log_id)
    services.delete(found, actor_of(request))
    messages.success(request, f"Deleted {found.name}.")
    return redirect("preview:distribution-logs")


@require_safe
@permission_required("efcp.view", raise_exception=True)
def run(request: HttpRequest, job_id: int) -> HttpResponse:
    """The progress of a count, and its result."""
    job = get_object_or_404(JobRun, pk=job_id, kind=services.KIND)
    context: dict[str, object] = {}
    if job.result is not None:
        context = {"result": job.result, "counted": CountResult.from_json(job.result["counted"])}
    return show_job(request, job, "preview/distribution_run.html", context)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Cancel a count."""
    job = get_object_or_404(JobRun, pk=job_id, kind=services.KIND)
    cancel_job(request, job)
    return redirect("preview:distribution-count", job.pk)


def _refusal(request: HttpRequest) -> str:
    if not can_read_logs():
        return "Reading logs requires an optional package (pip install 'efcp[replay]')."
    return refusal(request)


@csrf_protect
def _keep(request: HttpRequest, handler: FileToDiskHandler) -> HttpResponse:
    received = request.FILES.get(services.FIELD)
    if not isinstance(received, ReceivedFile):
        return _show_logs(request, handler.problem or "Choose a file.", status=422)
    try:
        kept = services.keep(received, actor_of(request))
    except NotACallLogError as error:
        return _show_logs(request, f"{received.name}: {error}", status=422)
    handler.claimed = True
    return redirect("preview:distribution-log", kept.pk)


def _show_logs(request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
    context: Mapping[str, Any] = {
        "problem": problem,
        "logs": CallLog.objects.all()[:LOGS_SHOWN],
        "runs": JobRun.objects.filter(kind=services.KIND).defer("result")[:LOGS_SHOWN],
        "can_read_logs": can_read_logs(),
        "largest": largest(),
        "kept_days": services.KEPT_FOR.days,
    }
    return render(request, "preview/distribution_logs.html", context, status=status)


def _show_log(request: HttpRequest, found: CallLog, form: LogForm) -> HttpResponse:
    context = {"log": found, "form": form, "kept_days": RESULTS_KEPT_FOR.days}
    return render(request, "preview/distribution_log.html", context, status=422 if form.errors else 200)
