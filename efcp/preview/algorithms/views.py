"""The page that compares algorithms."""

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from efcp.preview.algorithms.comparison import compare
from efcp.preview.algorithms.traffic import (
    MAX_CALLS,
    MAX_DURATION_S,
    BrokenLines,
    Traffic,
    generated_traffic,
    parse_traffic,
)
from efcp.preview.forms import MAX_SET, SourceForm, with_defaults
from efcp.preview.script_routes import route_choice
from efcp.preview.sources import sources
from efcp.proxies.context import watched_on

MAX_PASTED = 2_000_000
DEFAULTS = {
    "setid": "1",
    "calls": "5000",
    "rate": "5",
    "mean": "120",
    "sigma": "1",
    "capacity": "500",
    "seed": "1",
}


class ComparisonForm(SourceForm):
    """The set, the calls, and what a weight of 1 can carry."""

    setid = forms.IntegerField(label="Set", min_value=0, max_value=MAX_SET)
    calls = forms.IntegerField(label="Calls", min_value=1, max_value=MAX_CALLS)
    rate = forms.FloatField(label="Calls a second", min_value=0.001, max_value=10_000)
    mean = forms.FloatField(label="Mean duration (s)", min_value=0.1, max_value=MAX_DURATION_S)
    sigma = forms.FloatField(
        label="Duration spread (sigma)",
        min_value=0,
        max_value=3,
        help_text="Log-normal: 0 means all equal, 1 is typical for calls.",
    )
    capacity = forms.IntegerField(
        label="Capacity per weight unit",
        min_value=1,
        max_value=1_000_000,
        help_text="Calls per unit of weight for load_balancer.",
    )
    seed = forms.IntegerField(
        min_value=0, max_value=2**32 - 1, help_text="The same seed generates the same calls."
    )
    log = forms.CharField(
        label="Or calls from a log",
        required=False,
        max_length=MAX_PASTED,
        widget=forms.Textarea(attrs={"rows": 5, "class": "mono", "placeholder": "start,duration"}),
        help_text="One per line: start (seconds or ISO time), duration in seconds.",
        error_messages={"max_length": "At most 2 MB: use a part of the log."},
    )

    broken = BrokenLines(0, ())
    """Lines of the pasted log that are no calls."""

    def clean_log(self) -> Traffic | None:
        """The calls of the log; None where none was pasted."""
        text = self.cleaned_data["log"]
        if not text.strip():
            return None
        traffic, self.broken = parse_traffic(text.splitlines())
        if not len(traffic):
            raise forms.ValidationError("No line contains a start and a duration.")
        return traffic

    def traffic(self) -> Traffic:
        """The calls of the log, or generated ones."""
        given = self.cleaned_data
        if given["log"] is not None:
            logged: Traffic = given["log"]
            return logged
        return generated_traffic(given["calls"], given["rate"], given["mean"], given["sigma"], given["seed"])


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def algorithms(request: HttpRequest) -> HttpResponse:
    """The same calls under each algorithm and under load_balancer.

    The URL holds a question about generated calls; a log is too long for one and is posted, which changes
    nothing.
    """
    offered = sources(watched_on(request))
    query = request.POST or request.GET
    choice = route_choice(query)
    form = ComparisonForm(
        with_defaults(query, DEFAULTS | {"source": offered[0].key} | choice.defaults()), offered
    )
    is_valid = form.is_valid()
    context: dict[str, object] = {"form": form, "route_choice": choice}
    if (request.method == "POST" or request.GET) and is_valid:
        given = form.cleaned_data
        context["comparison"] = compare(
            form.source(), given["setid"], form.traffic(), given["capacity"], given["seed"]
        )
    status = 422 if request.method == "POST" and not is_valid else 200
    return render(request, "preview/algorithms.html", context, status=status)
