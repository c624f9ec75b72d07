"""An outage as the page shows it: worst cases, a line of time, and what happened in order."""

from dataclasses import dataclass

from dispatcher.routing.outage import Course, Event, Kind, Outage, Pace, WorstCase, course, worst_case
from dispatcher.routing.probing import ProbingSettings
from dispatcher.routing.states import State

WIDTH = 1000
MAX_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a line: what it is, and from where to where."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class TellingEvent:
    """An event in words."""

    at: float
    words: str
    kind: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the page shows of an outage; `until` is where the line of time ends, in seconds."""

    course: Course
    worst: WorstCase
    until: float
    gateway: tuple[Stretch, ...]
    proxy: tuple[Stretch, ...]
    events: tuple[TellingEvent, ...]
    not_shown: int


def told(outage: Outage, pace: Pace, settings: ProbingSettings, *, always: bool) -> Told:
    """Play the outage long enough to see its end, and the worst case with it."""
    last = outage.dies_at if outage.returns_at is None else outage.returns_at
    until = last + (settings.threshold + 2) * pace.interval + pace.timeout
    played = course(outage, pace, settings, always=always, until=until)
    return Told(
        course=played,
        worst=worst_case(pace, settings, always=always, code=outage.code),
        until=until,
        gateway=tuple(_gateway(outage, until)),
        proxy=tuple(_proxy(played, until)),
        events=tuple(_telling(event) for event in played.events[:MAX_SHOWN]),
        not_shown=max(0, len(played.events) - MAX_SHOWN),
    )


def _stretch(kind: str, begin: float, end: float, until: float) -> Stretch:
    return Stretch(kind, WIDTH * begin / until, WIDTH * (end - begin) / until)


def _gateway(outage: Outage, until: float) -> list[Stretch]:
    """Up, down, and up again."""
    back = until if outage.returns_at is None else outage.returns_at
    return [
        _stretch("active", 0, outage.dies_at, until),
        _stretch("inactive", outage.dies_at, back, until),
        _stretch("active", back, until, until),
    ]


def _proxy(played: Course, until: float) -> list[Stretch]:
    """The states that the proxy holds it in."""
    found: list[Stretch] = []
    state, since = State.ACTIVE, 0.0
    for event in played.events:
        if event.change is not None and event.change.after is not state:
            found.append(_stretch(state.name.lower(), since, event.at, until))
            state, since = event.change.after, event.at
    return [*found, _stretch(state.name.lower(), since, until, until)]


def _telling(event: Event) -> TellingEvent:
    if event.kind is Kind.STATE and event.change is not None:
        words = f"{event.change.before.name.lower()} to {event.change.after.name.lower()}"
        return TellingEvent(event.at, words, event.change.after.name.lower())
    return TellingEvent(event.at, event.kind.value, "")
