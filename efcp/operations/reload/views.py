"""The reload page and the page of one run."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from dispatcher.changes import compare
from efcp.audit.services import actor_of
from efcp.operations.models import ReloadOutcome, ReloadRun
from efcp.operations.reload import services
from efcp.operations.reload.forms import ReloadForm
from efcp.proxies.context import watched_on
from efcp.proxies.selectors import proxies_for_all

WAIT_S = 1.0
"""How long the request waits for quick proxies, so that most reloads show their result at once."""
_OPEN = {ReloadOutcome.WAITING, ReloadOutcome.RUNNING}


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def reload_page(request: HttpRequest) -> HttpResponse:
    """What a reload would change on each proxy; a POST sends it."""
    watched = watched_on(request)
    form = ReloadForm(
        request.POST or None,
        choices=[each.proxy for each in watched],
        chosen=list(proxies_for_all()),
    )
    if request.method == "POST":
        if not request.user.has_perm("efcp.operate"):
            raise PermissionDenied
        if form.is_valid():
            return _start(request, form)
    context = {
        "form": form,
        "changes": compare(watched),
        "running": ReloadRun.objects.filter(running_key=services.RUNNING_KEY).first(),
        "recent": ReloadRun.objects.all()[:5],
    }
    return render(request, "operations/reload.html", context)


def _start(request: HttpRequest, form: ReloadForm) -> HttpResponse:
    started = services.start(form.proxies(), form.wanted(), actor_of(request))
    if started.is_new:
        started.ended.wait(WAIT_S)
    else:
        messages.info(request, f"A reload by {started.run.actor} was under way: this is its result for both.")
    return redirect("operations:run", started.run.pk)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def run_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """What came of one run; htmx asks for the results alone until all are in."""
    run = get_object_or_404(ReloadRun, pk=run_id)
    now = timezone.now()
    results = [(result, result.known_outcome(now)) for result in run.results.select_related("proxy")]
    context = {
        "run": run,
        "results": results,
        "is_open": any(outcome in _OPEN for _result, outcome in results),
    }
    fragment = "#results" if request.headers.get("HX-Target") == "results" else ""
    return render(request, f"operations/run.html{fragment}", context)
