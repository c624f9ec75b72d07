"""Which messages a rule sends: a table of situations, and what holds in any."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.operations.alerts.reconcile import (
    Alert,
    AlertMessage,
    Down,
    Key,
    Policy,
    QuietHours,
    inhibited,
    reconcile,
)
from efcp.sip.uri import host_of

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday."""

BASE = Policy(
    since=START - timedelta(hours=1),
    after=timedelta(),
    group=timedelta(seconds=10),
    flap_changes=6,
    flap=timedelta(seconds=300),
)
PROXY = "proxy"


def key_of(name: str) -> Key:
    """`a` is a destination, `proxy` the proxy, `set` the set."""
    if name == PROXY:
        return (1, "default", -1, "")
    return (1, "default", 7, "" if name == "set" else f"sip:{name}")


def names_in(message: AlertMessage) -> str:
    """What it is about."""
    return " ".join(
        sorted(
            each.key[3].removeprefix("sip:") or ("set" if each.key[2] > 0 else PROXY)
            for each in message.alerts
        )
    )


@dataclass
class World:
    """The stored alerts of a rule, driven as the watcher does; `sent` is (second, kind, names)."""

    policy: Policy = BASE
    alerts: dict[int, Alert] = field(default_factory=dict)
    sent: list[tuple[int, str, str]] = field(default_factory=list)
    messages: list[AlertMessage] = field(default_factory=list)

    def beat(self, second: int, down: Mapping[Key, Down], *, crashes: bool = False) -> None:
        """One turn; one that crashes stores nothing and sends nothing, as a transaction does."""
        now = START + timedelta(seconds=second)
        before = [each for each in self.alerts.values() if each.ended_at is None or each.owes_back]
        recent = {
            each.key: each.changes
            for each in self.alerts.values()
            if each.ended_at and each.ended_at >= now - self.policy.flap
        }
        plan = reconcile(self.policy, before, recent, down, now)
        if crashes:
            return
        for opened in plan.opened.values():
            pk = len(self.alerts) + 1
            self.alerts[pk] = replace(opened, pk=pk)
        self.alerts |= plan.updated
        self.messages += plan.messages
        self.sent += [
            (second, f"{each.kind}{'+' if each.to_second else ''}", names_in(each)) for each in plan.messages
        ]

    def acknowledge(self, second: int) -> None:
        """As a person does, of all that is open."""
        at = START + timedelta(seconds=second)
        self.alerts = {
            pk: each if each.ended_at else replace(each, acknowledged_at=at)
            for pk, each in self.alerts.items()
        }


Span = tuple[str, int, int]
"""What is down, from which second to which."""


def down_at(spans: Sequence[Span], second: int, **silences: str) -> dict[Key, Down]:
    """What is down at a second."""
    found = {}
    for name, begin, end in spans:
        if begin <= second < end:
            state = {"proxy": "proxy", "set": "set"}.get(name, "probing")
            since = START + timedelta(seconds=begin)
            found[key_of(name)] = Down(name, state, since, silence=silences.get(name, ""))
    return found


def flap(name: str, until: int) -> list[Span]:
    """Down for 2 of every 4 seconds."""
    return [(name, second, second + 2) for second in range(0, until, 4)]


QUIET = QuietHours(time(11), time(13), frozenset({0}), UTC, "warning")


@dataclass(frozen=True)
class Situation:
    """What happens, until when, and what is to be sent."""

    name: str
    spans: Sequence[Span]
    sent: Sequence[tuple[int, str, str]]
    until: int = 1200
    policy: Mapping[str, Any] = field(default_factory=dict)
    silent: Callable[[int], Mapping[str, str]] = lambda _second: {}
    acknowledged_at: int | None = None
    crashes: frozenset[int] = frozenset()
    hosts: bool = False


MINUTES = {number: timedelta(minutes=number) for number in (2, 5, 10)}
SITUATIONS = [
    Situation("one down and back", [("a", 0, 100)], [(10, "down", "a"), (110, "back", "a")]),
    Situation("back within the grouping", [("a", 0, 8)], []),
    Situation(
        "waits its time",
        [("a", 0, 200)],
        [(70, "down", "a"), (210, "back", "a")],
        policy={"after": timedelta(seconds=60)},
    ),
    Situation(
        "several within ten seconds",
        [("a", 0, 300), ("b", 8, 300)],
        [(10, "down", "a b"), (310, "back", "a b")],
    ),
    Situation(
        "a later one is a message of its own",
        [("a", 0, 300), ("b", 40, 300)],
        [(10, "down", "a"), (50, "down", "b"), (310, "back", "a b")],
    ),
    Situation(
        "no recovery where it is not to be sent",
        [("a", 0, 100)],
        [(10, "down", "a")],
        policy={"notify_recovery": False},
    ),
    Situation("before the rule", [("a", -7200, 100)], []),
    Situation("silent throughout", [("a", 0, 300)], [], silent=lambda _second: {"a": "Maintenance"}),
    Situation(
        "still down after its silence",
        [("a", 0, 300)],
        [(126, "down", "a"), (310, "back", "a")],
        silent=lambda second: {"a": "Maintenance"} if second < 100 else {},
    ),
    Situation(
        "silence that begins after the message",
        [("a", 0, 700)],
        [(10, "down", "a"), (710, "back", "a")],
        policy={"repeat": MINUTES[5]},
        silent=lambda second: {"a": "x"} if second > 20 else {},
    ),
    Situation(
        "repeated while it lasts",
        [("a", 0, 700)],
        [(10, "down", "a"), (310, "still", "a"), (610, "still", "a"), (710, "back", "a")],
        policy={"repeat": MINUTES[5]},
    ),
    Situation(
        "acknowledged: no repetition, no escalation",
        [("a", 0, 900)],
        [(10, "down", "a"), (910, "back", "a")],
        policy={"repeat": MINUTES[5], "escalate": MINUTES[5]},
        acknowledged_at=60,
    ),
    Situation(
        "escalated, and the second receiver hears of the end",
        [("a", 0, 400)],
        [(10, "down", "a"), (130, "escalated+", "a"), (410, "back", "a"), (410, "back+", "a")],
        policy={"escalate": MINUTES[2]},
    ),
    Situation(
        "flapping: one message, and one when it is over",
        flap("a", 80),
        [(20, "flapping", "a"), (378, "back", "a")],
    ),
    Situation(
        "flapping slower than its time",
        flap("a", 80),
        [(20, "flapping", "a"), (378, "back", "a")],
        policy={"after": timedelta(seconds=60)},
    ),
    Situation(
        "quiet hours hold a warning back until they end",
        [("a", 0, 7200)],
        [(3600, "down", "a"), (7210, "back", "a")],
        policy={"quiet": QUIET},
        until=7300,
    ),
    Situation(
        "quiet hours let what is critical through",
        [(PROXY, 0, 100)],
        [(10, "down", PROXY), (110, "back", PROXY)],
        policy={"quiet": QUIET},
    ),
    Situation("over in the quiet hours", [("a", 0, 100)], [], policy={"quiet": QUIET}, until=4000),
    Situation(
        "a silent proxy stands for its destinations",
        [(PROXY, 0, 300), ("a", 0, 300), ("set", 0, 300)],
        [(10, "down", PROXY), (310, "back", PROXY)],
        hosts=True,
    ),
    Situation(
        "all destinations of a host are one alert",
        [("a@10.0.0.1", 0, 300), ("b@10.0.0.1", 6, 300)],
        [(10, "down", "host 10.0.0.1"), (310, "back", "host 10.0.0.1")],
        hosts=True,
    ),
    Situation(
        "a host of which one destination comes back is no longer down as a whole",
        [("a@10.0.0.1", 0, 300), ("b@10.0.0.1", 0, 100)],
        [
            (10, "down", "host 10.0.0.1"),
            (110, "back", "host 10.0.0.1"),
            (126, "down", "a@10.0.0.1"),
            (310, "back", "a@10.0.0.1"),
        ],
        hosts=True,
    ),
    Situation(
        "the watcher dies where it would send",
        [("a", 0, 100)],
        [(20, "down", "a"), (120, "back", "a")],
        crashes=frozenset([10, 12, 14, 16, 18, *range(104, 120)]),
    ),
    Situation(
        "a watcher that was away sends one message",
        [("a", 0, 900), ("b", 50, 900), ("c", 90, 300)],
        [(400, "down", "a b"), (910, "back", "a b")],
        crashes=frozenset(range(400)),
    ),
]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.name)
def test_what_is_sent_in_a_situation(situation: Situation) -> None:
    world = World(replace(BASE, **situation.policy))
    for second in range(0, situation.until, 2):
        if situation.acknowledged_at == second:
            world.acknowledge(second)
        down = down_at(situation.spans, second, **situation.silent(second))
        if situation.hosts:
            up = {name for name, _begin, _end in situation.spans} - {each.uri for each in down.values()}
            active = {1: Counter(host_of(f"sip:{name}") for name in up)}
            down = inhibited(down, active, host_of)
        world.beat(second, down, crashes=second in situation.crashes)
    assert world.sent == list(situation.sent)


NAMES = ("a", "b", "c")
ONE_BEAT = st.tuples(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)), st.integers(0, 9))


@given(
    beats=st.lists(ONE_BEAT, max_size=60),
    repeat=st.sampled_from([None, timedelta(seconds=60)]),
    escalate=st.sampled_from([None, timedelta(seconds=30)]),
    after_s=st.sampled_from([0, 20]),
)
def test_nothing_is_sent_twice_and_nothing_is_left_open(
    beats: list[tuple[set[str], set[str], int]],
    repeat: timedelta | None,
    escalate: timedelta | None,
    after_s: int,
) -> None:
    """Whatever goes up and down, is silent or crashes: each alert has one message of each kind at most."""
    policy = replace(BASE, repeat=repeat, escalate=escalate, after=timedelta(seconds=after_s))
    world = World(policy)
    began: dict[str, int] = {}
    for number, (down, silent, dice) in enumerate(beats):
        second = number * 2
        began = {name: began.get(name, second) for name in down}
        spans = [(name, begin, second + 1) for name, begin in began.items()]
        found = down_at(spans, second, **dict.fromkeys(silent, "Maintenance"))
        world.beat(second, found, crashes=dice == 0)
        if dice == 1:
            world.acknowledge(second)
        of_beat = [(kind, names) for at, kind, names in world.sent if at == second]
        assert len({kind for kind, _names in of_beat}) == len(of_beat), "one message of a kind in a beat"
    for second in range(len(beats) * 2, len(beats) * 2 + 400, 2):
        world.beat(second, {})
    assert all(each.ended_at and not each.owes_back for each in world.alerts.values())
    sent = Counter(
        (message.kind, message.to_second, each.pk or each.key)
        for message in world.messages
        for each in message.alerts
        if message.kind in {"back", "escalated"}
    )
    assert set(sent.values()) <= {1}
    notified = {each.pk for each in world.alerts.values() if each.notified_at}
    back = {each.pk for message in world.messages if message.kind == "back" for each in message.alerts}
    assert back == notified, "the end of all that was sent, and of nothing else"
    for message in world.messages:
        assert not any(each.silence for each in message.alerts if message.kind != "back")


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_clock_that_jumps_an_hour_sends_each_message_once(jump_s: int) -> None:
    world = World()
    found = down_at([("a", 0, 9999)], 0)
    for second in range(0, 8, 2):
        world.beat(second, found)
    for second in range(8, 60, 2):
        world.beat(second + jump_s, found)
    for second in range(60, 100, 2):
        world.beat(second + jump_s, {})
    assert [kind for _at, kind, _names in world.sent] == ["down", "back"]


def test_quiet_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    quiet = QuietHours(time(22), time(6), frozenset({0}), UTC, "warning")
    monday = START.replace(hour=23)
    hours = (monday, monday + timedelta(hours=6), monday + timedelta(hours=8), monday + timedelta(hours=24))
    assert [quiet.cover("warning", at) for at in hours] == [True, True, False, False]
    assert not quiet.cover("critical", monday)
