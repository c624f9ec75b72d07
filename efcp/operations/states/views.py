"""The pages on which live states are set."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dispatcher.selectors import find
from efcp.accounts.form_recovery import NOTICE, recover_form
from efcp.accounts.signing_in import confirmation_needed
from efcp.audit.services import actor_of
from efcp.operations.runs import RunHandle
from efcp.operations.states import results, selectors, services
from efcp.operations.states.forms import StateForm
from efcp.operations.states.models import StateRun
from efcp.operations.states.search import SHORTEST_SEARCH, HostQuery, destinations_at, suggestions
from efcp.operations.states.selectors import Chosen, set_effects
from efcp.proxies.context import watched_on
from efcp.proxies.memory import MAX_TEXT
from efcp.proxies.selectors import watcher_is_silent
from efcp.sip.uri import host_of

WAIT_S = 1.0
"""How long the request waits for quick proxies, so that most results show at once."""

MOST_CHIPS = 1_000
"""States shown one by one; beyond that, each line counts the proxies by state."""

MOST_SETS = 100
"""Sets whose effect is shown; those that would be left empty come first."""

MOST_PREVIEWED = 200
"""Destinations for which the page also asks how the calls would move."""


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.operate", raise_exception=True)
def state_of_one(request: HttpRequest, destination_id: int) -> HttpResponse:
    """Set the live state of one destination."""
    row = find(destination_id)
    if row is None:
        raise Http404
    chosen = Chosen((row,), 1)
    if request.method == "POST":
        return _set_or_ask_again(request, chosen)
    recovered = recover_form(request)
    return _ask(request, chosen, StateForm(None, watched_on(request), recovered), NOTICE if recovered else "")


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.operate", raise_exception=True)
def choose(request: HttpRequest) -> HttpResponse:
    """Ask once for several: the rows chosen on the list, or those of `?setid=`, `?host=` and `?address=`."""
    if request.method == "POST":
        return _ask(request, selectors.chosen_in(request.POST), StateForm(None, watched_on(request)))
    recovered = recover_form(request)
    chosen = selectors.chosen_in(recovered) if recovered is not None else destinations_at(_place(request))
    return _ask(request, chosen, StateForm(None, watched_on(request), recovered), NOTICE if recovered else "")


@require_safe
@permission_required("efcp.operate", raise_exception=True)
def everything(request: HttpRequest) -> HttpResponse:
    """Hosts and addresses that hold `?q=`; htmx asks for what was found alone."""
    text = request.GET.get("q", "")[:MAX_TEXT].strip()
    context = {"q": text, "found": suggestions(text), "is_too_short": len(text) < SHORTEST_SEARCH}
    fragment = "#found" if request.headers.get("HX-Target") == "found" else ""
    return render(request, f"operations/everything.html{fragment}", context)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def set_state(request: HttpRequest) -> HttpResponse:
    """Set the live state of several, once it was confirmed."""
    return _set_or_ask_again(request, selectors.chosen_in(request.POST))


@require_safe
@permission_required("efcp.view", raise_exception=True)
def state_run(request: HttpRequest, run_id: int) -> HttpResponse:
    """The results; htmx asks for the results alone while something may still come."""
    run = get_object_or_404(StateRun.objects.select_related("undoes"), pk=run_id)
    page = results.run_page(run, watched_on(request))
    context = {"page": page, "nobody_watches": page.is_watched and watcher_is_silent()}
    fragment = "#results" if request.headers.get("HX-Target") == "results" else ""
    return render(request, f"operations/state_run.html{fragment}", context)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def undo_run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Put the states back that were before a run."""
    run = get_object_or_404(StateRun, pk=run_id)
    page = results.run_page(run, watched_on(request))
    if page.undone_by is None and not (page.undo and page.undo.back):
        why = "a reply may still arrive" if page.is_waiting else "see the reasons below"
        messages.warning(request, f"Nothing undone: {why}.")
        return redirect("operations:state-run", run.pk)
    reason = f"Undo: {run.reason}" if run.reason else "Undo"
    handle = services.undo(run, actor_of(request), reason[:MAX_TEXT])
    return _to_run(request, handle)


def _set_or_ask_again(request: HttpRequest, chosen: Chosen) -> HttpResponse:
    form = StateForm(request.POST, watched_on(request))
    if not chosen.rows or not form.is_valid():
        return _ask(request, chosen, form)
    if len(chosen.rows) > settings.CONFIRM_STATES and (first := confirmation_needed(request)):
        return first
    handle = services.begin(
        chosen.rows,
        form.chosen_state(),
        form.proxies(),
        actor_of(request),
        form.cleaned_data["reason"],
        form.cleaned_data["form_key"],
    )
    return _to_run(request, handle)


def _to_run(request: HttpRequest, handle: RunHandle[StateRun]) -> HttpResponse:
    if handle.is_new:
        handle.ended.wait(WAIT_S)
    else:
        messages.info(request, "Submitted twice, done once. This is the result.")
    return redirect("operations:state-run", handle.run.pk)


def _ask(request: HttpRequest, chosen: Chosen, form: StateForm, notice: str = "") -> HttpResponse:
    watched = watched_on(request)
    lines = selectors.chosen_lines(chosen.rows, watched)
    effects = set_effects(lines, watched)
    context = {
        "form": form,
        "notice": notice,
        "chosen": chosen,
        "lines": lines,
        "is_many": len(lines) > MOST_PREVIEWED,
        "is_compact": len(lines) * len(watched) > MOST_CHIPS,
        "any_is_ambiguous": any(line.is_ambiguous for line in lines),
        "effects": effects[:MOST_SETS],
        "further_sets": len(effects[MOST_SETS:]),
        "emptied": sum(bool(each.emptied_on) for each in effects),
        "host": host_of(chosen.rows[0].destination) if len(chosen.rows) == 1 else "",
        "has_cluster": any(each.proxy.cluster for each in watched),
        "watched": watched,
    }
    return render(request, "operations/state.html", context, status=422 if form.errors else 200)


def _place(request: HttpRequest) -> HostQuery | None:
    return HostQuery.parse(*(request.GET.get(name, "") for name in ("setid", "host", "address")))
