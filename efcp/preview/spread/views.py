"""Pages of the spread of generated calls."""

from collections.abc import Mapping, Sequence

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from efcp.preview.asking import with_defaults
from efcp.preview.picking.picked import picking
from efcp.preview.sources import Source, sources
from efcp.preview.spread.counting import Counting
from efcp.preview.spread.forms import DEFAULT_CALLS, GeneratedForm
from efcp.preview.spread.generated import generated_calls
from efcp.proxies.context import watched_on

_DEFAULTS = {"setid": "1", "algorithm": "0", "calls": str(DEFAULT_CALLS), "seed": "1"}


@require_safe
@permission_required("efcp.view", raise_exception=True)
def generated(request: HttpRequest) -> HttpResponse:
    """How generated calls would spread, for each source that is asked for."""
    offered = sources(watched_on(request))
    found = picking(request.GET)
    form = GeneratedForm(_filled(request.GET, offered, found.defaults()), offered)
    counted = None
    if request.GET and form.is_valid():
        question = form.question()
        counting = Counting(form.sources(), question)
        counting.add(generated_calls(question, form.cleaned_data["calls"], form.cleaned_data["seed"]))
        counted = counting.counted()
    return render(request, "preview/spread.html", {"form": form, "counted": counted, "picking": found})


def _filled(typed: QueryDict, offered: Sequence[Source], picked: Mapping[str, str]) -> QueryDict:
    """What was typed, with defaults for what the address leaves out: those of the route that was picked."""
    filled = with_defaults(typed, {**_DEFAULTS, **picked})
    if "calls" not in typed and "source" not in typed:
        filled.setlist("source", [each.key for each in offered[:2]])
    return filled
