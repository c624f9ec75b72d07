"""The fragment that says which calls a destination takes, loaded into its page."""

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dispatcher.selectors import find
from efcp.preview.takes.selectors import taken_calls
from efcp.proxies.context import watched_on


@require_safe
@permission_required("efcp.view", raise_exception=True)
def takes(request: HttpRequest, destination_id: int) -> HttpResponse:
    """What the row's destination takes, by each proxy and by the table."""
    row = find(destination_id)
    if row is None:
        raise Http404
    told = taken_calls(row.setid, row.destination, watched_on(request))
    return render(request, "preview/takes.html", {"row": row, "told": told})
