"""Probing a destination from the panel."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from dispatcher.models import Destination
from dispatcher.selectors import find
from efcp.audit.services import actor_of
from efcp.operations.probes import selectors, services
from efcp.operations.probes.forms import ProbeForm
from efcp.operations.probes.sending import LIMIT_S, ProbeToSend
from efcp.proxies.context import watched_on

WAIT_S = 0.5
"""How long the request waits for the answer, so that a destination that is near shows it at once."""


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.operate", raise_exception=True)
def probe(request: HttpRequest, destination_id: int) -> HttpResponse:
    """The last probes, and the form; a POST sends one. htmx asks for the results alone."""
    row = find(destination_id)
    if row is None:
        raise Http404
    probing = selectors.probing(row, watched_on(request))
    form = ProbeForm(request.POST if request.method == "POST" else None, probing)
    if request.method == "POST" and not probing.problem and form.is_valid():
        return _start(request, row, probing, form)
    lines = selectors.last_probes(row)
    context = {
        "row": row,
        "probing": probing,
        "form": form,
        "lines": lines,
        "is_open": any(line.is_open for line in lines),
        "limit_s": LIMIT_S,
    }
    fragment = "#results" if request.headers.get("HX-ProbeTarget") == "results" else ""
    status = 422 if request.method == "POST" else 200
    return render(request, f"operations/probe.html{fragment}", context, status=status)


def _start(
    request: HttpRequest, row: Destination, probing: selectors.ProbePlan, form: ProbeForm
) -> HttpResponse:
    target = form.chosen()
    sent = ProbeToSend(
        form.cleaned_data["method"],
        row.destination.rstrip(" "),
        form.cleaned_data["from_uri"],
        probing.transport,
        target.address,
        target.port,
    )
    try:
        _probe, ended = services.start(
            services.PlannedProbe(row.pk, row.setid, target.proxy, sent), actor_of(request)
        )
    except services.ProbesBusyError as error:
        messages.error(request, str(error))
    else:
        ended.wait(WAIT_S)
    return redirect("operations:probe", row.pk)
