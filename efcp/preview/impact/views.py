"""Fragments that show what a change would do, loaded into the pages where it is made."""

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from dispatcher.changes import pending_changes
from dispatcher.models import Destination
from dispatcher.selectors import find
from efcp.preview.impact import selectors
from efcp.proxies.context import watched_on


@require_POST
@sensitive_post_parameters("weight")
@permission_required("efcp.view", raise_exception=True)
def edit(request: HttpRequest, destination_id: int | None = None) -> HttpResponse:
    """What the form as it is would do after a reload.

    Posted, since a weight may hold a password, which must not be in a URL; changes nothing.
    """
    try:
        report = selectors.of_edit(destination_id, request.POST.dict(), watched_on(request))
    except selectors.IncompleteFormError:
        return HttpResponse()
    return _show(request, report, "After a reload")


@require_safe
@permission_required("efcp.view", raise_exception=True)
def deletion(request: HttpRequest, destination_id: int) -> HttpResponse:
    """What deleting a row would do after a reload."""
    row = find(destination_id)
    if row is None:
        raise Http404
    return _show(request, selectors.of_deletion(row, watched_on(request)), "After a reload")


@require_POST
@permission_required("efcp.view", raise_exception=True)
def state(request: HttpRequest) -> HttpResponse:
    """What the chosen state would do at once. Posted like the form that it is about; changes nothing."""
    ids = [
        int(text)
        for text in request.POST.getlist("id")[: selectors.MAX_CHOSEN]
        if text.isascii() and text.isdigit() and len(text) <= 10
    ]
    rows = list(Destination.objects.filter(pk__in=ids)[: selectors.MAX_CHOSEN])
    report = selectors.of_state(rows, request.POST.get("state", ""), watched_on(request))
    return _show(request, report, "At once")


@require_safe
@permission_required("efcp.view", raise_exception=True)
def reload(request: HttpRequest) -> HttpResponse:
    """What a reload would do to the sets that it changes."""
    watched = watched_on(request)
    report = selectors.of_reload(pending_changes(watched).sets, watched)
    return _show(request, report, "After the reload")


def _show(request: HttpRequest, report: selectors.ImpactReport, when: str) -> HttpResponse:
    return render(request, "preview/impact.html", {"report": report, "when": when})
