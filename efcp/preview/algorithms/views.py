"""The page that compares algorithms."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from efcp.preview.algorithms.comparing import Comparison, compare
from efcp.preview.algorithms.forms import DEFAULTS, ComparisonForm
from efcp.preview.asking import with_defaults
from efcp.preview.picking.picked import picking
from efcp.preview.sources import sources
from efcp.proxies.context import watched_on


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def algorithms(request: HttpRequest) -> HttpResponse:
    """The same calls under each algorithm and under load_balancer.

    Made-up calls stand in the address; a log is too long for one and is posted, which changes nothing.
    """
    offered = sources(watched_on(request))
    posted = request.method == "POST"
    typed = request.POST if posted else request.GET
    found = picking(typed)
    defaults = DEFAULTS | {"source": offered[0].key} | found.defaults()
    form = ComparisonForm(with_defaults(typed, defaults), offered)
    valid = form.is_valid()
    asked = posted or len(request.GET) > 0
    context = {"form": form, "picking": found, "comparison": _compared(form) if asked and valid else None}
    status = 422 if posted and not valid else 200
    return render(request, "preview/algorithms.html", context, status=status)


def _compared(form: ComparisonForm) -> Comparison:
    given = form.cleaned_data
    return compare(form.source(), given["setid"], form.traffic(), given["capacity"], given["seed"])
