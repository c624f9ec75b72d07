"""The pages on which live states are set."""

from collections.abc import Sequence

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dispatcher.models import Destination
from dispatcher.selectors import find, set_names
from efcp.audit.services import actor_of
from efcp.operations.models import StateRun
from efcp.operations.states import selectors, services
from efcp.proxies.context import watched_on
from efcp.proxies.models import Proxy, State
from efcp.proxies.selectors import proxies_for_all

WAIT_S = 1.0
"""How long the request waits for quick proxies, so that most results show at once."""


class StateForm(forms.Form):
    """Which state, on which proxies, and why."""

    state = forms.ChoiceField(choices=State.choices, widget=forms.RadioSelect)
    proxy = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, error_messages={"required": "Choose a proxy."}
    )
    reason = forms.CharField(max_length=255, required=False)

    def __init__(self, request: HttpRequest, *, sent: bool) -> None:
        proxies = [each.proxy for each in watched_on(request)]
        chosen = [str(proxy.pk) for proxy in proxies_for_all()]
        super().__init__(request.POST if sent else None, initial={"proxy": chosen})
        self._proxies = {str(proxy.pk): proxy for proxy in proxies}
        field = self.fields["proxy"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [(pk, proxy.name) for pk, proxy in self._proxies.items()]

    def proxies(self) -> list[Proxy]:
        """The chosen proxies."""
        return [self._proxies[pk] for pk in self.cleaned_data["proxy"]]


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.operate", raise_exception=True)
def state_of_one(request: HttpRequest, destination_id: int) -> HttpResponse:
    """Set the live state of one destination."""
    row = find(destination_id)
    if row is None:
        raise Http404
    return _ask_or_set(request, [row], sent=request.method == "POST")


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.operate", raise_exception=True)
def choose(request: HttpRequest) -> HttpResponse:
    """Ask once for several: the rows chosen on the list, a whole set, or all on one host."""
    rows = selectors.chosen_rows(
        request.POST.getlist("id"), request.GET.get("setid", ""), request.GET.get("host", "")
    )
    return _ask_or_set(request, rows, sent=False)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def set_state(request: HttpRequest) -> HttpResponse:
    """Set the live state of several, once it was confirmed."""
    return _ask_or_set(request, selectors.chosen_rows(request.POST.getlist("id"), "", ""), sent=True)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def state_run(request: HttpRequest, run_id: int) -> HttpResponse:
    """What came of it; htmx asks for the results alone while something may still come."""
    run = get_object_or_404(StateRun, pk=run_id)
    now = timezone.now()
    lines = selectors.result_lines(run, now)
    context = {"run": run, "lines": lines, "is_open": selectors.is_open(run, lines, now)}
    fragment = "#results" if request.headers.get("HX-Target") == "results" else ""
    return render(request, f"operations/state_run.html{fragment}", context)


def _ask_or_set(request: HttpRequest, rows: Sequence[Destination], *, sent: bool) -> HttpResponse:
    form = StateForm(request, sent=sent)
    if sent and rows and form.is_valid():
        state = State(form.cleaned_data["state"])
        begun = services.begin(rows, state, form.proxies(), actor_of(request), form.cleaned_data["reason"])
        begun.ended.wait(WAIT_S)
        return redirect("operations:state-run", begun.run.pk)
    proxies = [each.proxy for each in watched_on(request)]
    context = {
        "form": form,
        "rows": [(row, _on_proxies(request, row)) for row in rows],
        "emptied": selectors.emptied_sets(rows, proxies),
        "set_names": set_names(),
        "host": selectors.host_of(rows[0].destination) if len(rows) == 1 else "",
    }
    return render(request, "operations/state.html", context)


def _on_proxies(request: HttpRequest, row: Destination) -> list[tuple[str, str]]:
    held = selectors.held_states(row)
    return [
        (each.proxy.name, held[each.proxy.pk][0].state if each.proxy.pk in held else "absent")
        for each in watched_on(request)
    ]
