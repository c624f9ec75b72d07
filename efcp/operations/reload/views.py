"""The dispatcher's reload page, and the page of one run of any module."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from dispatcher import indexes
from dispatcher.changes import ProxyChanges, compare, losses
from efcp.accounts.form_recovery import recover_form
from efcp.operations.models import Module, ReloadRun
from efcp.operations.reload import selectors
from efcp.operations.reload.forms import DispatcherReloadForm
from efcp.operations.reload.starting import start_and_wait
from efcp.proxies.context import watched_on


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def reload_page(request: HttpRequest) -> HttpResponse:
    """What a reload would change on each proxy; an operator's POST sends it."""
    watched = watched_on(request)
    if request.method != "POST":
        changes = compare(watched)
        losing = {each.watched.proxy.pk: each.names.losses for each in changes}
        return _show(request, DispatcherReloadForm(None, watched, recover_form(request), losing), changes)
    if not request.user.has_perm("efcp.operate"):
        raise PermissionDenied
    form = DispatcherReloadForm(request.POST, watched, losses=losses(watched))
    if not form.is_valid():
        return _show(request, form, compare(watched))
    return _start(request, form)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def run_page(request: HttpRequest, run_id: int, module: Module = Module.DISPATCHER) -> HttpResponse:
    """What came of one run; htmx asks for the results alone until all are in."""
    run = get_object_or_404(ReloadRun, pk=run_id, module=module)
    lines = selectors.result_lines(run)
    context = {"run": run, "lines": lines, "is_open": any(line.is_open for line in lines)}
    fragment = "#results" if request.headers.get("HX-Target") == "results" else ""
    return render(request, f"operations/run.html{fragment}", context)


def _show(
    request: HttpRequest, form: DispatcherReloadForm, changes: tuple[ProxyChanges, ...]
) -> HttpResponse:
    context = {
        "form": form,
        "changes": changes,
        "under_way": selectors.runs_under_way(Module.DISPATCHER),
        "recent": selectors.recent_runs(Module.DISPATCHER),
        "suggestion": indexes.suggestion() if request.user.has_perm("efcp.administer") else "",
    }
    return render(request, "operations/reload.html", context, status=422 if form.errors else 200)


def _start(request: HttpRequest, form: DispatcherReloadForm) -> HttpResponse:
    started = start_and_wait(request, form)
    if not started.is_new and started.run.inherit_state != form.wanted().inherit_state:
        messages.warning(
            request,
            "That one keeps the states in memory, other than you chose."
            if started.run.inherit_state
            else "That one takes the table's initial states, other than you chose.",
        )
    return redirect(started.run)
