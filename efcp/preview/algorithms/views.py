"""The page that compares algorithms."""

from collections.abc import Sequence

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from efcp.preview.algorithms.comparing import Comparison, compare
from efcp.preview.algorithms.forms import DEFAULTS, ComparisonForm
from efcp.preview.sources import Source, sources
from efcp.proxies.context import watched_on


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def algorithms(request: HttpRequest) -> HttpResponse:
    """The same calls under each algorithm and under load_balancer.

    Made-up calls stand in the address; a log is too long for one and is posted, which changes nothing.
    """
    offered = sources(watched_on(request))
    posted = request.method == "POST"
    form = ComparisonForm(_filled(request.POST if posted else request.GET, offered), offered)
    valid = form.is_valid()
    asked = posted or len(request.GET) > 0
    context = {"form": form, "comparison": _compared(form) if asked and valid else None}
    status = 422 if posted and not valid else 200
    return render(request, "preview/algorithms.html", context, status=status)


def _filled(typed: QueryDict, offered: Sequence[Source]) -> QueryDict:
    """What was typed, with defaults for what is left out."""
    filled = typed.copy()
    for name, value in DEFAULTS.items():
        filled.setdefault(name, value)
    filled.setdefault("source", offered[0].key)
    return filled


def _compared(form: ComparisonForm) -> Comparison:
    given = form.cleaned_data
    return compare(form.source(), given["setid"], form.traffic(), given["capacity"], given["seed"])
