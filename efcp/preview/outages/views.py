"""The page on which an outage is played."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dispatcher.routing.outage import MAX_ROUNDS
from efcp.preview.asking import with_defaults
from efcp.preview.outages.forms import DEFAULTS, OutageForm
from efcp.preview.outages.telling import Told, told
from efcp.preview.picking.picked import picking


@require_safe
@permission_required("efcp.view", raise_exception=True)
def outage(request: HttpRequest) -> HttpResponse:
    """When traffic to a gateway that dies stops, and when it comes back; the address holds the question."""
    found_route = picking(request.GET)
    form = OutageForm(with_defaults(request.GET, DEFAULTS | found_route.defaults()))
    found = _played(form) if form.is_valid() else None
    return render(request, "preview/outage.html", {"form": form, "told": found, "picking": found_route})


def _played(form: OutageForm) -> Told | None:
    try:
        return told(form.outage(), form.pace(), form.settings(), always=form.is_always_probed)
    except ValueError:
        form.add_error("interval", f"That would be more than {MAX_ROUNDS} rounds of probing to play.")
        return None
