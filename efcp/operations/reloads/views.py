"""The pages of reloads: of each module, and of one run."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dialplan.cases.running import run_cases
from dialplan.cases.selectors import all_cases
from dialplan.load_prediction import predict_load
from dispatcher import indexes
from dispatcher.changes import ProxyChanges, compare, losses
from efcp.accounts.form_recovery import recover_form
from efcp.audit.services import actor_of
from efcp.modules.registry import module_named
from efcp.operations.reloads import selectors, services
from efcp.operations.reloads.forms import DialplanReloadForm, DispatcherReloadForm, ReloadForm
from efcp.operations.reloads.loaded_rules import ask_all_cases, latest_question
from efcp.operations.reloads.loaded_rules import loaded_rules as read_loaded_rules
from efcp.operations.reloads.models import ReloadRun
from efcp.operations.runs import RunHandle
from efcp.proxies.context import watched_on
from efcp.proxies.shared_questions import QuestionsBusyError, is_open


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def dispatcher_reload_page(request: HttpRequest) -> HttpResponse:
    """What a reload would change on each proxy; an operator's POST sends it."""
    watched = watched_on(request)
    if request.method != "POST":
        changes = compare(watched)
        losing = {each.watched.proxy.pk: each.names.losses for each in changes}
        return _show_dispatcher(
            request, DispatcherReloadForm(None, watched, recover_form(request), losing), changes
        )
    _require_reload(request, "dispatcher")
    form = DispatcherReloadForm(request.POST, watched, losses=losses(watched))
    if not form.is_valid():
        return _show_dispatcher(request, form, compare(watched))
    return _start_dispatcher(request, form)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def run_page(request: HttpRequest, run_id: int, module: str) -> HttpResponse:
    """The results of one run; htmx asks for the results alone until all are in."""
    run = get_object_or_404(ReloadRun, pk=run_id, module=module)
    lines = selectors.result_lines(run)
    context = {
        "run": run,
        "module": run.declaration,
        "lines": lines,
        "is_open": any(line.is_open for line in lines),
    }
    fragment = "#results" if request.headers.get("HX-Target") == "results" else ""
    return render(request, f"operations/run.html{fragment}", context)


def _show_dispatcher(
    request: HttpRequest, form: DispatcherReloadForm, changes: tuple[ProxyChanges, ...]
) -> HttpResponse:
    context = {
        "form": form,
        "changes": changes,
        "preview": selectors.reload_preview(changes),
        "under_way": selectors.runs_under_way("dispatcher"),
        "recent": selectors.recent_runs("dispatcher"),
        "suggestion": indexes.suggestion() if request.user.has_perm("efcp.administer") else "",
    }
    return render(request, "operations/reload.html", context, status=422 if form.errors else 200)


def _start_dispatcher(request: HttpRequest, form: DispatcherReloadForm) -> HttpResponse:
    started = _start_and_wait(request, form)
    if not started.is_new and started.run.inherit_state != form.request().inherit_state:
        messages.warning(
            request,
            "It keeps live states, unlike your choice."
            if started.run.inherit_state
            else "It resets to the initial states, unlike your choice.",
        )
    return redirect(started.run)


SHOWN = 50
"""Rules that a proxy drops, and failing test cases, listed one by one."""


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def dialplan_reload_page(request: HttpRequest) -> HttpResponse:
    """What a reload would load, and the test cases; an operator's POST sends it."""
    failing = [each for each in run_cases(all_cases()) if not each.passes]
    watched = watched_on(request)
    if request.method == "POST":
        _require_reload(request, "dialplan")
        form = DialplanReloadForm(request.POST, watched, failing=len(failing))
        if form.is_valid():
            return redirect(_start_and_wait(request, form).run)
    else:
        form = DialplanReloadForm(None, watched, recover_form(request), failing=len(failing))
    prediction = predict_load()
    context = {
        "form": form,
        "watched": watched,
        "prediction": prediction,
        "dropped": prediction.dropped[:SHOWN] if prediction else (),
        "failing": failing[:SHOWN],
        "failing_count": len(failing),
        "under_way": selectors.runs_under_way("dialplan"),
        "recent": selectors.recent_runs("dialplan"),
    }
    status = 422 if form.errors else 200
    return render(request, "operations/dialplan_reload.html", context, status=status)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def loaded_rules(request: HttpRequest) -> HttpResponse:
    """What the proxies hold, by what is stored: a fragment that looks again while answers are awaited."""
    return _show_loaded_rules(request)


@require_POST
@permission_required("efcp.view", raise_exception=True)
def ask_cases(request: HttpRequest) -> HttpResponse:
    """Begin to ask the proxies for the test cases; the answers come with the fragment."""
    try:
        ask_all_cases(actor_of(request).name)
    except QuestionsBusyError as error:
        return _show_loaded_rules(request, str(error))
    return _show_loaded_rules(request)


def _show_loaded_rules(request: HttpRequest, problem: str = "") -> HttpResponse:
    question = latest_question()
    context = {
        "on_proxies": list(read_loaded_rules(question)),
        "question": question,
        "is_open": is_open(question),
        "problem": problem,
    }
    is_fragment = request.headers.get("HX-Request") == "true"
    template = "operations/loaded_rules.html" if is_fragment else "operations/loaded_rules_page.html"
    return render(request, template, context)


def _require_reload(request: HttpRequest, module: str) -> None:
    """Raise PermissionDenied where the user may not reload the module."""
    if not request.user.has_perm(module_named(module).reload_permission):
        raise PermissionDenied


WAIT_S = 1.0
"""How long the request waits for quick proxies, so that most reloads show their result at once."""


def _start_and_wait(request: HttpRequest, form: ReloadForm) -> RunHandle[ReloadRun]:
    """Start it, or say that one was under way already, which is then everybody's."""
    started = services.start(form.proxies(), form.request(), actor_of(request))
    if started.is_new:
        started.ended.wait(WAIT_S)
    else:
        messages.info(
            request,
            f"A reload by {started.run.actor} was already in progress, so no second one was sent;"
            " this is its result.",
        )
    return started
