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
from efcp.preview.forms import with_defaults
from efcp.preview.script_routes import route_choice

WIDTH = 1000
MAX_EVENTS_SHOWN = 200
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


class OutageForm(forms.Form):
    """Settings of dispatcher and tm, and one gateway's outage. Times are seconds from a round of probing."""

    interval = forms.IntegerField(
        label="ds_ping_interval (s)", min_value=1, max_value=3_600, help_text="How often is probed."
    )
    threshold = forms.IntegerField(
        label="ds_probing_threshold",
        min_value=1,
        max_value=100,
        help_text="Failures that turn it to probing.",
    )
    timeout = forms.FloatField(
        label="fr_timeout (s)", min_value=0.1, max_value=300, help_text="Of tm: how long a probe waits."
    )
    probed = forms.ChoiceField(
        label="The gateway is probed",
        choices=[
            (_ALWAYS, "always (probe_mode 1, or ds_probing_mode 1)"),
            (_WHILE_PROBING, "only while it is probing"),
        ],
    )
    dies_at = forms.FloatField(label="It dies at (s)", min_value=0, max_value=MAX_S)
    returns_at = forms.FloatField(
        label="It returns at (s)", min_value=0, max_value=2 * MAX_S, required=False, help_text="Empty: never."
    )
    code = forms.IntegerField(
        label="While it is down it answers",
        min_value=300,
        max_value=699,
        required=False,
        help_text="A SIP status code. Empty: nothing.",
    )
    reply_codes = forms.CharField(
        label="options_reply_codes", required=False, max_length=200, help_text="Codes that are good as well."
    )

    def clean_reply_codes(self) -> frozenset[int]:
        """The numbers."""
        try:
            return frozenset(int(word) for word in self.cleaned_data["reply_codes"].replace(",", " ").split())
        except ValueError as error:
            raise forms.ValidationError("Status codes, with commas in between.") from error

    def clean(self) -> dict[str, object]:
        """Refuse a gateway that returns before it dies."""
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        dies, returns = self.cleaned_data.get("dies_at"), self.cleaned_data.get("returns_at")
        if dies is not None and returns is not None and returns <= dies:
            self.add_error("returns_at", "It returns after it died.")
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
            self.add_error("interval", f"That would be more than {MAX_ROUNDS} rounds of probing to play.")
            return None


@dataclass(frozen=True, slots=True)
class StateSpan:
    """A part of a timeline: the state, and from where to where of WIDTH."""

    state: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class OutageTimeline:
    """What the page shows of an outage; the timelines end after `until` seconds.

    `events` are moment, text and, for a change of state, the new state.
    """

    course: OutageCourse
    worst: WorstCase
    until: float
    gateway: tuple[StateSpan, ...]
    proxy: tuple[StateSpan, ...]
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
    return OutageTimeline(
        course=course,
        worst=worst_case(timing, settings, always=always, code=outage.code),
        until=until,
        gateway=_gateway(outage, until),
        proxy=_proxy(course, until),
        events=tuple(_shown(event) for event in course.events[:MAX_EVENTS_SHOWN]),
        not_shown=max(0, len(course.events) - MAX_EVENTS_SHOWN),
    )


def _span(state: DestinationState, begin: float, end: float, until: float) -> StateSpan:
    return StateSpan(state.name.lower(), WIDTH * begin / until, WIDTH * (end - begin) / until)


def _gateway(outage: GatewayOutage, until: float) -> tuple[StateSpan, ...]:
    """Up, down, and up again."""
    back = until if outage.returns_at is None else outage.returns_at
    return (
        _span(DestinationState.ACTIVE, 0, outage.dies_at, until),
        _span(DestinationState.INACTIVE, outage.dies_at, back, until),
        _span(DestinationState.ACTIVE, back, until, until),
    )


def _proxy(course: OutageCourse, until: float) -> tuple[StateSpan, ...]:
    """The states in the proxy's memory."""
    found: list[StateSpan] = []
    state, since = DestinationState.ACTIVE, 0.0
    for event in course.events:
        if event.change is not None and event.change.after is not state:
            found.append(_span(state, since, event.at, until))
            state, since = event.change.after, event.at
    return (*found, _span(state, since, until, until))


def _shown(event: OutageEvent) -> tuple[float, str, str]:
    if event.kind is EventKind.STATE and event.change is not None:
        before, after = event.change.before.name.lower(), event.change.after.name.lower()
        return event.at, f"{before} to {after}", after
    return event.at, event.kind.value, ""
