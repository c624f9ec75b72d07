"""The pages of planned maintenance."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dispatcher.models import Destination
from dispatcher.selectors import find
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.services import actor_of
from efcp.clock import moment_text
from efcp.operations.maintenance import selectors, services
from efcp.operations.maintenance.forms import ExtendForm, MaintenanceForm
from efcp.operations.maintenance.models import Maintenance
from efcp.operations.states.selectors import EmptiedSet, chosen_lines, emptied_sets
from efcp.proxies.context import watched_on


@require_safe
@permission_required("efcp.view", raise_exception=True)
def maintenance_list(request: HttpRequest) -> HttpResponse:
    """What is out of service or planned to be, and what was."""
    context = {"maintenances": selectors.maintenances(), "now": timezone.now()}
    fragment = "#maintenances" if request.headers.get("HX-Target") == "maintenances" else ""
    return render(request, f"operations/maintenance/list.html{fragment}", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.operate", raise_exception=True)
def begin(request: HttpRequest, destination_id: int) -> HttpResponse:
    """Take one destination out for a time; refused where nothing active is left, unless confirmed twice."""
    row = find(destination_id)
    if row is None:
        raise Http404
    watched = watched_on(request)
    form = MaintenanceForm(request.POST if request.method == "POST" else None, watched, row.setid)
    if request.method != "POST" or not form.is_valid():
        return _ask(request, row, form)
    emptied = emptied_sets([row], form.proxies(), watched)
    if emptied and not form.is_confirmed_twice():
        return _ask(request, row, form, refused=emptied)
    services.plan(
        row,
        form.proxies(),
        form.cleaned_data["begins_at"],
        form.ends_at(),
        actor_of(request),
        form.cleaned_data["reason"],
        allow_empty_set=form.is_confirmed_twice(),
    )
    messages.success(request, f"Maintenance of {row.destination} in set {row.setid} scheduled.")
    return redirect("operations:maintenance")


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def end(request: HttpRequest, maintenance_id: int) -> HttpResponse:
    """End one at once."""
    planned = get_object_or_404(Maintenance, pk=maintenance_id)
    try:
        services.end_now(planned, actor_of(request), token_in(request))
    except StaleFormError as stale:
        messages.error(request, stale.text)
        return redirect("operations:maintenance")
    messages.success(request, f"Ending maintenance of {planned.uri}.")
    return redirect("operations:maintenance")


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def extend(request: HttpRequest, maintenance_id: int) -> HttpResponse:
    """Let one end so many minutes from now."""
    planned = get_object_or_404(Maintenance, pk=maintenance_id)
    form = ExtendForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Not changed: enter a number of minutes.")
        return redirect("operations:maintenance")
    ends_at = max(timezone.now(), planned.begins_at) + timedelta(minutes=form.cleaned_data["minutes"])
    try:
        services.extend(planned, ends_at, actor_of(request), token_in(request))
    except StaleFormError as stale:
        messages.error(request, stale.text)
        return redirect("operations:maintenance")
    messages.success(request, f"Maintenance of {planned.uri} ends at {moment_text(ends_at, seconds=False)}.")
    return redirect("operations:maintenance")


def _ask(
    request: HttpRequest, row: Destination, form: MaintenanceForm, refused: list[EmptiedSet] | None = None
) -> HttpResponse:
    watched = watched_on(request)
    context = {
        "form": form,
        "row": row,
        "watched": watched,
        "line": chosen_lines([row], watched)[0],
        "emptied": emptied_sets([row], [each.proxy for each in watched], watched),
        "refused": refused,
        "confirmed_once": bool(refused) and form.is_confirmed_once(),
        "under_way": selectors.open_of(row.setid, row.destination),
    }
    status = 422 if form.errors or refused else 200
    return render(request, "operations/maintenance/begin.html", context, status=status)
