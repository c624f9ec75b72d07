"""The page of an outage: worst cases, a timeline, and the events in order."""

from dataclasses import dataclass

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dispatcher.routing.destinations import DestinationState
from dispatcher.routing.outage import (
    MAX_ROUNDS,
    EventKind,
    GatewayOutage,
    OutageCourse,
    OutageEvent,
    ProbeTiming,
    WorstCase,
    simulate,
    worst_case,
)
from dispatcher.routing.probing import ProbingSettings
from efcp.charts.axes import Tick, ValueAxis, span_axis, value_text
from efcp.charts.drawings import ChartLane, Mark, Span
from efcp.preview.forms import with_defaults
from efcp.preview.script_routes import route_choice

MAX_EVENTS_SHOWN = 200
MAX_MARKS = 400
"""Probes and answers that are drawn; the first ones."""

MAX_S = 3_600.0
DEFAULTS = {
    "interval": "10",
    "threshold": "1",
    "timeout": "30",
    "dies_at": "3",
    "returns_at": "120",
    "code": "",
    "reply_codes": "",
    "probed": "always",
}
_ALWAYS, _WHILE_PROBING = "always", "probing"
_HEIGHTS = {DestinationState.ACTIVE: 100.0, DestinationState.INACTIVE: 35.0, DestinationState.PROBING: 65.0}
_MARKS = {
    EventKind.PROBE: "sent",
    EventKind.GOOD: "good",
    EventKind.BAD: "bad",
    EventKind.SILENCE: "bad",
}


class OutageForm(forms.Form):
    """Settings of dispatcher and tm, and one gateway's outage. Times are seconds from a round of probing."""

    interval = forms.IntegerField(
        label="ds_ping_interval (s)", min_value=1, max_value=3_600, help_text="Time between probes."
    )
    threshold = forms.IntegerField(
        label="ds_probing_threshold",
        min_value=1,
        max_value=100,
        help_text="Failures until probing.",
    )
    timeout = forms.FloatField(
        label="fr_timeout (s)", min_value=0.1, max_value=300, help_text="tm timeout for a probe's reply."
    )
    probed = forms.ChoiceField(
        label="Probing",
        choices=[
            (_ALWAYS, "always"),
            (_WHILE_PROBING, "while probing"),
        ],
        help_text="Always: probe_mode 1 or ds_probing_mode 1.",
    )
    dies_at = forms.FloatField(label="Goes down at (s)", min_value=0, max_value=MAX_S)
    returns_at = forms.FloatField(
        label="Comes back at (s)", min_value=0, max_value=2 * MAX_S, required=False, help_text="Blank: never."
    )
    code = forms.IntegerField(
        label="Reply while down",
        min_value=300,
        max_value=699,
        required=False,
        help_text="A SIP status code. Blank: no reply.",
    )
    reply_codes = forms.CharField(
        label="options_reply_codes", required=False, max_length=200, help_text="Other good reply codes."
    )

    def clean_reply_codes(self) -> frozenset[int]:
        """The numbers."""
        try:
            return frozenset(int(word) for word in self.cleaned_data["reply_codes"].replace(",", " ").split())
        except ValueError as error:
            raise forms.ValidationError("Comma-separated status codes.") from error

    def clean(self) -> dict[str, object]:
        """Refuse a gateway that returns before it dies."""
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        dies, returns = self.cleaned_data.get("dies_at"), self.cleaned_data.get("returns_at")
        if dies is not None and returns is not None and returns <= dies:
            self.add_error("returns_at", "It must come back after it goes down.")
        return cleaned

    def timeline(self) -> "OutageTimeline | None":
        """The outage as the page shows it; None, with an error, where it takes too many rounds of probing."""
        given = self.cleaned_data
        settings = ProbingSettings(given["threshold"], reply_codes=given["reply_codes"])
        try:
            return outage_timeline(
                GatewayOutage(given["dies_at"], given["returns_at"], given["code"]),
                ProbeTiming(given["interval"], given["timeout"]),
                settings,
                always=given["probed"] == _ALWAYS,
            )
        except ValueError:
            self.add_error("interval", f"More than {MAX_ROUNDS:,} rounds of probing: shorten the period.")
            return None


@dataclass(frozen=True, slots=True)
class OutageTimeline:
    """What the page shows of an outage: a lane each for the gateway, the probes and the proxy.

    `events` are moment, text and, for a change of state, the new state.
    """

    course: OutageCourse
    worst: WorstCase
    ticks: tuple[Tick, ...]
    gateway: ChartLane
    probes: ChartLane
    proxy: ChartLane
    events: tuple[tuple[float, str, str], ...]
    not_shown: int


@require_safe
@permission_required("efcp.view", raise_exception=True)
def outage(request: HttpRequest) -> HttpResponse:
    """When calls to a gateway that dies stop, and when they return; the URL holds the whole question."""
    choice = route_choice(request.GET)
    form = OutageForm(with_defaults(request.GET, DEFAULTS | choice.defaults()))
    timeline = form.timeline() if form.is_valid() else None
    context = {"form": form, "timeline": timeline, "route_choice": choice}
    return render(request, "preview/outage.html", context)


def outage_timeline(
    outage: GatewayOutage, timing: ProbeTiming, settings: ProbingSettings, *, always: bool
) -> OutageTimeline:
    """Simulate the outage to its end, and the worst case. Raises ValueError for too many rounds."""
    last = outage.dies_at if outage.returns_at is None else outage.returns_at
    until = last + (settings.threshold + 2) * timing.interval + timing.timeout
    course = simulate(outage, timing, settings, always=always, until=until)
    axis = span_axis(until, "s", most_ticks=8)
    return OutageTimeline(
        course=course,
        worst=worst_case(timing, settings, always=always, code=outage.code),
        ticks=axis.ticks,
        gateway=_gateway(outage, axis),
        probes=_probes(course, axis),
        proxy=_proxy(course, axis),
        events=tuple(_shown(event) for event in course.events[:MAX_EVENTS_SHOWN]),
        not_shown=max(0, len(course.events) - MAX_EVENTS_SHOWN),
    )


def _span(what: str, state: DestinationState, begin: float, end: float, axis: ValueAxis) -> Span:
    look = state.name.lower()
    title = f"{what} from {value_text(round(begin, 1))} to {value_text(round(end, 1), axis.unit)}"
    x = axis.place(begin)
    return Span(look, x, axis.place(end) - x, title, _HEIGHTS[state])


def _gateway(outage: GatewayOutage, axis: ValueAxis) -> ChartLane:
    """Up, down, and up again."""
    back = axis.top if outage.returns_at is None else outage.returns_at
    spans = [
        _span("Up", DestinationState.ACTIVE, 0, outage.dies_at, axis),
        _span("Down", DestinationState.INACTIVE, outage.dies_at, back, axis),
        _span("Up", DestinationState.ACTIVE, back, axis.top, axis),
    ]
    return ChartLane("Gateway", tuple(each for each in spans if each.width > 0))


def _probes(course: OutageCourse, axis: ValueAxis) -> ChartLane:
    """Each OPTIONS with its outcome."""
    found = [each for each in course.events if each.kind in _MARKS]
    marks = (
        Mark(
            _MARKS[each.kind], axis.place(each.at), f"{value_text(round(each.at, 1), 's')}: {each.kind.value}"
        )
        for each in found[:MAX_MARKS]
    )
    return ChartLane("Probes", marks=tuple(marks))


def _proxy(course: OutageCourse, axis: ValueAxis) -> ChartLane:
    """The states in the proxy's memory."""
    found: list[Span] = []
    state, since = DestinationState.ACTIVE, 0.0
    for event in course.events:
        if event.change is not None and event.change.after is not state:
            found.append(_span(state.name.capitalize(), state, since, event.at, axis))
            state, since = event.change.after, event.at
    return ChartLane("Proxy", (*found, _span(state.name.capitalize(), state, since, axis.top, axis)))


def _shown(event: OutageEvent) -> tuple[float, str, str]:
    if event.kind is EventKind.STATE and event.change is not None:
        before, after = event.change.before.name.lower(), event.change.after.name.lower()
        return event.at, f"{before} to {after}", after
    return event.at, event.kind.value, ""
