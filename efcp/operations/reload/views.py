"""The reload page and the page of one run."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from dispatcher import indexes
from dispatcher.changes import compare
from efcp.accounts.typed import NOTICE, take_typed
from efcp.audit.services import actor_of
from efcp.operations.models import ReloadRun
from efcp.operations.reload import selectors, services
from efcp.operations.reload.forms import ReloadForm
from efcp.proxies.context import watched_on

WAIT_S = 1.0
"""How long the request waits for quick proxies, so that most reloads show their result at once."""


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def reload_page(request: HttpRequest) -> HttpResponse:
    """What a reload would change on each proxy; an operator's POST sends it."""
    if request.method != "POST":
        typed = take_typed(request)
        return _show(request, ReloadForm(None, watched_on(request), typed), NOTICE if typed else "")
    if not request.user.has_perm("efcp.operate"):
        raise PermissionDenied
    form = ReloadForm(request.POST, watched_on(request))
    if not form.is_valid():
        return _show(request, form)
    return _start(request, form)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def run_page(request: HttpRequest, run_id: int) -> HttpResponse:
    """What came of one run; htmx asks for the results alone until all are in."""
    run = get_object_or_404(ReloadRun, pk=run_id)
    lines = selectors.result_lines(run)
    context = {"run": run, "lines": lines, "is_open": any(line.is_under_way for line in lines)}
    fragment = "#results" if request.headers.get("HX-Target") == "results" else ""
    return render(request, f"operations/run.html{fragment}", context)


def _show(request: HttpRequest, form: ReloadForm, notice: str = "") -> HttpResponse:
    context = {
        "form": form,
        "notice": notice,
        "changes": compare(watched_on(request)),
        "under_way": selectors.runs_under_way(),
        "recent": selectors.recent_runs(),
        "suggestion": indexes.suggestion() if request.user.has_perm("efcp.administer") else "",
    }
    return render(request, "operations/reload.html", context, status=422 if form.errors else 200)


def _start(request: HttpRequest, form: ReloadForm) -> HttpResponse:
    started = services.start(form.proxies(), form.wanted(), actor_of(request))
    if started.is_new:
        started.ended.wait(WAIT_S)
    else:
        _say_joined(request, started.run, form.wanted())
    return redirect("operations:run", started.run.pk)


def _say_joined(request: HttpRequest, run: ReloadRun, wanted: services.Wanted) -> None:
    messages.info(
        request,
        f"A reload by {run.actor} was under way already, so no second one was sent:"
        " this is the result for both of you.",
    )
    if run.inherit_state != wanted.inherit_state:
        messages.warning(
            request,
            "That one keeps the states in memory, other than you chose."
            if run.inherit_state
            else "That one takes the table's initial states, other than you chose.",
        )
