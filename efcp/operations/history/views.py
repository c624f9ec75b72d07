"""The page of one destination."""

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dispatcher.name_facts import name_facts
from dispatcher.selectors import find
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
    chosen = request.GET.get("period", "")
    period = next((each for each in Period if each.label == chosen), Period.DAY)
    watched = watched_on(request)
    context = {
        "history": history(row, period, watched),
        "name": name_facts([row.destination], watched).get(uri_key(row.destination)),
        "periods": list(Period),
        "host": host_of(row.destination),
    }
    return render(request, "operations/history/destination.html", context)
