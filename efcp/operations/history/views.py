"""The pages of one destination and of one set, and the last day of all sets."""

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dispatcher.name_facts import name_facts
from dispatcher.selectors import find
from efcp.editing.table import MAX_INT
from efcp.operations.history.availability import last_day, set_availability
from efcp.operations.history.calls import calls_of_destination, calls_of_set
from efcp.operations.history.selectors import history
from efcp.operations.history.timeline import Period
from efcp.proxies.context import watched_on
from efcp.sip.uri import host_of, uri_key


@require_safe
@permission_required("efcp.view", raise_exception=True)
def destination(request: HttpRequest, destination_id: int) -> HttpResponse:
    """What a destination is and was on each proxy; `?period=` is day, week or month."""
    row = find(destination_id)
    if row is None:
        raise Http404
    period = _period(request)
    watched = watched_on(request)
    context = {
        "history": history(row, period, watched),
        "name": name_facts([row.destination], watched).get(uri_key(row.destination)),
        "periods": list(Period),
        "host": host_of(row.destination),
    }
    return render(request, "operations/history/destination.html", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def set_page(request: HttpRequest, setid: int) -> HttpResponse:
    """What a set was on each proxy; `?period=` is day, week or month."""
    if setid > MAX_INT:
        raise Http404
    period, watched = _period(request), watched_on(request)
    context = {
        "set": set_availability(setid, period, watched),
        "calls": calls_of_set(setid, period, watched),
        "periods": list(Period),
    }
    return render(request, "operations/history/set.html", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def calls(request: HttpRequest, destination_id: int) -> HttpResponse:
    """A fragment of a destination's page: its calls over the period."""
    row = find(destination_id)
    if row is None:
        raise Http404
    found = calls_of_destination(row, _period(request), watched_on(request))
    return render(request, "operations/history/calls.html", {"calls": found, "title": "Calls"})


@require_safe
@permission_required("efcp.view", raise_exception=True)
def all_sets(request: HttpRequest) -> HttpResponse:
    """A fragment of the state board: the last 24 hours of the sets."""
    return render(request, "operations/history/last_day.html", {"day": last_day(watched_on(request))})


def _period(request: HttpRequest) -> Period:
    requested = request.GET.get("period", "")
    return next((each for each in Period if each.label == requested), Period.DAY)
