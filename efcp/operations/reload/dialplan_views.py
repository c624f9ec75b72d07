"""The dialplan's reload page: what the table would give, what proxies hold, and the test cases of both."""

from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dialplan.cases.running import run_cases
from dialplan.cases.selectors import all_cases
from dialplan.foretold import foretell
from efcp.accounts.form_recovery import recover_form
from efcp.audit.services import actor_of
from efcp.operations.models import Module
from efcp.operations.reload import selectors
from efcp.operations.reload.forms import DialplanReloadForm
from efcp.operations.reload.holding import ask_all_cases, holdings, latest_question
from efcp.operations.reload.starting import start_and_wait
from efcp.proxies.context import watched_on
from efcp.proxies.shared_questions import QuestionsBusyError, is_open

SHOWN = 50
"""Rules that a proxy drops, and test cases that fail, told one by one."""


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def reload_page(request: HttpRequest) -> HttpResponse:
    """What a reload would load, and the test cases; an operator's POST sends it."""
    failing = [each for each in run_cases(all_cases()) if not each.passes]
    watched = watched_on(request)
    if request.method == "POST":
        if not request.user.has_perm("efcp.operate"):
            raise PermissionDenied
        form = DialplanReloadForm(request.POST, watched, failing=len(failing))
        if form.is_valid():
            return redirect(start_and_wait(request, form).run)
    else:
        form = DialplanReloadForm(None, watched, recover_form(request), failing=len(failing))
    foretold = foretell()
    context = {
        "form": form,
        "watched": watched,
        "foretold": foretold,
        "dropped": foretold.dropped[:SHOWN] if foretold else (),
        "failing": failing[:SHOWN],
        "failing_count": len(failing),
        "under_way": selectors.runs_under_way(Module.DIALPLAN),
        "recent": selectors.recent_runs(Module.DIALPLAN),
    }
    status = 422 if form.errors else 200
    return render(request, "operations/dialplan_reload.html", context, status=status)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def held(request: HttpRequest) -> HttpResponse:
    """What the proxies hold, by what is stored: a fragment that looks again while answers are awaited."""
    return _show_held(request)


@require_POST
@permission_required("efcp.view", raise_exception=True)
def ask_held(request: HttpRequest) -> HttpResponse:
    """Begin to ask the proxies for the test cases; the answers come with the fragment."""
    try:
        ask_all_cases(actor_of(request).name)
    except QuestionsBusyError as error:
        return _show_held(request, str(error))
    return _show_held(request)


def _show_held(request: HttpRequest, problem: str = "") -> HttpResponse:
    question = latest_question()
    context = {
        "holdings": list(holdings(question)),
        "question": question,
        "is_open": is_open(question),
        "problem": problem,
    }
    is_fragment = request.headers.get("HX-Request") == "true"
    template = "operations/dialplan_held.html" if is_fragment else "operations/dialplan_held_page.html"
    return render(request, template, context)
