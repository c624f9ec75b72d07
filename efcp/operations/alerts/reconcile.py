"""Decides what becomes of a rule's alerts, and which messages are due. Pure: no Django, no clock of its own.

`reconcile` takes the open alerts, what is down now, the rule and the time, and returns the alerts as they are
to be stored and the messages that are to be sent. Grouping, inhibition, silences, flapping, acknowledgement,
repetition, escalation and quiet hours are conditions on the same few columns of an alert, so that what is
stored with a message is all that is needed to never send it twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta, tzinfo

Key = tuple[int | None, str, int, str]
"""Proxy, partition, set, URI key. For what is no destination the URI key has another word, or none."""

SETTLING = timedelta(seconds=15)
"""How long after a silence ends the next list may still show what was silent."""

SEVERITIES = {
    "info": 0,
    "warning": 1,
    "critical": 2,
}
_SEVERITY_OF = defaultdict(
    lambda: "warning",
    {
        "restart": "info",
        "drift": "info",
        "proxy": "critical",
        "set": "critical",
        "empty": "critical",
        "panel": "critical",
    },
)
EVENTS = frozenset({"restart"})
"""What happened, and is not over some time: nobody is sent a message of its end."""

MAX_CHANGES = 50
"""Moments of change that are kept of one alert."""


@dataclass(frozen=True, slots=True)
class Down:
    """What is down: as what, since when it is in that state, and why that is on purpose, if it is.

    `missing` is how many active destinations a set lacks.
    """

    uri: str
    state: str
    since: datetime
    missing: int = 0
    silence: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One row of efcp_outage; see there for its columns. `pk` is None before it is stored."""

    key: Key
    uri: str
    state: str
    began_at: datetime
    counts_from: datetime
    detail: str = ""
    silence: str = ""
    is_old: bool = False
    notified_at: datetime | None = None
    sent_at: datetime | None = None
    acknowledged_at: datetime | None = None
    escalated_at: datetime | None = None
    changes: tuple[int, ...] = ()
    flapping_since: datetime | None = None
    up_since: datetime | None = None
    ended_at: datetime | None = None
    owes_back: bool = False
    pk: int | None = None

    @property
    def severity(self) -> str:
        """How urgent it is."""
        return _SEVERITY_OF[self.state]


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begin` to `end` in `zone`, over midnight where it ends earlier, on `days` (0: Monday)."""

    begin: time
    end: time
    days: frozenset[int]
    zone: tzinfo
    severity: str

    def cover(self, severity: str, now: datetime) -> bool:
        """Whether an alert of a severity waits at a moment."""
        if SEVERITIES[severity] > SEVERITIES[self.severity]:
            return False
        local = now.astimezone(self.zone)
        clock, day = local.time(), local.weekday()
        if self.begin < self.end:
            return self.begin <= clock < self.end and self._begins_on(day)
        if clock >= self.begin:
            return self._begins_on(day)
        return clock < self.end and self._begins_on((day - 1) % 7)

    def _begins_on(self, day: int) -> bool:
        return not self.days or day in self.days


@dataclass(frozen=True, slots=True)
class Policy:
    """What a rule wants. Times without effect are None: no repetition, no escalation, no flapping."""

    since: datetime
    after: timedelta
    group: timedelta = timedelta()
    notify_recovery: bool = True
    repeat: timedelta | None = None
    escalate: timedelta | None = None
    flap_changes: int = 0
    flap: timedelta = timedelta(seconds=300)
    quiet: QuietHours | None = None


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One message: `kind` is down, flapping, back, still or escalated.

    `to_second`: it goes to the receiver of the escalation.
    """

    kind: str
    alerts: tuple[Alert, ...]
    to_second: bool = False


@dataclass(slots=True)
class AlertPlan:
    """Alerts to insert, to update (also closed ones, which have `ended_at`), and messages to create."""

    opened: dict[Key, Alert] = field(default_factory=dict)
    updated: dict[int, Alert] = field(default_factory=dict)
    messages: list[AlertMessage] = field(default_factory=list)

    def put(self, alert: Alert) -> None:
        """Note how an alert is to be stored."""
        if alert.pk is None:
            self.opened[alert.key] = alert
        else:
            self.updated[alert.pk] = alert


def reconcile(
    policy: Policy,
    before: Sequence[Alert],
    recent: Mapping[Key, Sequence[int]],
    down: Mapping[Key, Down],
    now: datetime,
) -> AlertPlan:
    """What becomes of a rule's alerts.

    `before` are the open ones and those that owe a message of their end; `recent` are the moments of change
    of alerts that closed lately, by key; `down` is what the rule counts as down now, silences applied.
    """
    plan = AlertPlan()
    current: list[Alert] = []
    owing = [each for each in before if each.ended_at is not None]
    is_open = {each.key: each for each in before if each.ended_at is None}
    for key, found in down.items():
        alert = is_open.get(key)
        after = (
            _opened(key, found, policy, recent.get(key, ()), now)
            if alert is None
            else _goes_on(alert, found, policy, now)
        )
        if after is not alert:
            plan.put(after)
        current.append(after)
    for key, alert in is_open.items():
        if key not in down:
            after = _absent(alert, policy, now)
            plan.put(after)
            (owing if after.ended_at else current).append(after)
    _announce(policy, current, owing, plan, now)
    return plan


def _opened(key: Key, found: Down, policy: Policy, recent: Sequence[int], now: datetime) -> Alert:
    # Proxies report whole seconds: what began in the second of the rule is not older than it.
    is_old = found.since < policy.since.replace(microsecond=0)
    alert = Alert(
        key,
        found.uri,
        found.state,
        began_at=found.since,
        counts_from=min(found.since, now),
        detail=found.detail,
        silence=found.silence,
        is_old=is_old,
        changes=tuple(recent),
    )
    return alert if is_old or found.silence else _changed(alert, policy, now)


def _goes_on(alert: Alert, found: Down, policy: Policy, now: datetime) -> Alert:
    """The same alert, if nothing is new: another state, a silence that began or ended, flapping."""
    after = alert
    if (alert.state, alert.silence, alert.detail) != (found.state, found.silence, found.detail):
        after = replace(after, state=found.state, silence=found.silence, detail=found.detail)
        if alert.silence and not found.silence:
            after = replace(after, counts_from=now + SETTLING)
    if alert.counts_from > now + SETTLING:
        # The clock was put back.
        after = replace(after, counts_from=now)
    if alert.up_since is not None:
        after = _changed(replace(after, up_since=None), policy, now)
    elif alert.flapping_since is not None and _is_calm(alert, policy, now):
        after = replace(after, flapping_since=None)
    return after


def _absent(alert: Alert, policy: Policy, now: datetime) -> Alert:
    """An alert whose cause is gone: closed, or up for the moment while it flaps."""
    if alert.flapping_since is None:
        after = alert if alert.silence or alert.is_old else _changed(alert, policy, now)
        if after.flapping_since is None:
            return _closed(after, policy, now)
        return replace(after, up_since=now)
    if alert.up_since is None:
        return _changed(replace(alert, up_since=now), policy, now)
    return _closed(alert, policy, alert.up_since) if _is_calm(alert, policy, now) else alert


def _closed(alert: Alert, policy: Policy, at: datetime) -> Alert:
    owes = policy.notify_recovery and alert.notified_at is not None and alert.state not in EVENTS
    return replace(alert, ended_at=at, up_since=None, owes_back=owes)


def _changed(alert: Alert, policy: Policy, now: datetime) -> Alert:
    """The alert with one more change; it flaps when these are too many."""
    if not policy.flap_changes:
        return alert
    moment = int(now.timestamp())
    oldest = moment - policy.flap.total_seconds()
    changes = (*(each for each in alert.changes if oldest <= each <= moment), moment)[-MAX_CHANGES:]
    flaps = len(changes) >= policy.flap_changes and alert.state not in EVENTS
    since = alert.flapping_since or (now if flaps else None)
    return replace(alert, changes=changes, flapping_since=since)


def _is_calm(alert: Alert, policy: Policy, now: datetime) -> bool:
    last = max(alert.changes, default=0)
    # A change in the future: the clock was put back.
    return not 0 <= now.timestamp() - last < policy.flap.total_seconds()


def _announce(
    policy: Policy, current: Iterable[Alert], owing: Iterable[Alert], plan: AlertPlan, now: datetime
) -> None:
    def may_speak(alert: Alert) -> bool:
        return not (policy.quiet and policy.quiet.cover(alert.severity, now))

    loud = [each for each in current if not each.silence and not each.is_old and may_speak(each)]
    loud = _first_messages(policy, loud, plan, now)
    loud = _repetitions(policy, loud, plan, now)
    _escalations(policy, loud, plan, now)
    _ends(policy, [each for each in owing if each.owes_back and may_speak(each)], plan, now)


def _first_messages(policy: Policy, loud: Sequence[Alert], plan: AlertPlan, now: datetime) -> list[Alert]:
    """One message of what is due, once nothing more is to be waited for that began with it."""

    def due_at(alert: Alert) -> datetime | None:
        if alert.flapping_since is not None:
            is_new = alert.sent_at is None or alert.sent_at < alert.flapping_since
            return alert.flapping_since if is_new else None
        return None if alert.notified_at else alert.counts_from + policy.after

    due = {each.key: at for each in loud if (at := due_at(each)) is not None and at <= now}
    if not due or min(due.values()) + policy.group > now:
        return list(loud)
    chosen = [each for each in loud if each.key in due]
    kind = "flapping" if all(each.flapping_since for each in chosen) else "down"
    return _sent(
        AlertMessage(kind, tuple(chosen)),
        loud,
        plan,
        lambda each: replace(each, notified_at=each.notified_at or now, sent_at=now),
    )


def _repetitions(policy: Policy, loud: Sequence[Alert], plan: AlertPlan, now: datetime) -> list[Alert]:
    """One message of all that goes on unacknowledged, once the oldest message of them is old enough."""
    repeat = policy.repeat
    going_on = [each for each in loud if each.sent_at and not each.acknowledged_at and not each.up_since]
    if repeat is None or not any(each.sent_at and each.sent_at + repeat <= now for each in going_on):
        return list(loud)
    return _sent(AlertMessage("still", tuple(going_on)), loud, plan, lambda each: replace(each, sent_at=now))


def _escalations(policy: Policy, loud: Sequence[Alert], plan: AlertPlan, now: datetime) -> None:
    if policy.escalate is None:
        return
    late = [
        each
        for each in loud
        if each.notified_at
        and each.notified_at + policy.escalate <= now
        and not each.acknowledged_at
        and not each.escalated_at
        and each.state not in EVENTS
    ]
    if late:
        message = AlertMessage("escalated", tuple(late), to_second=True)
        _sent(message, loud, plan, lambda each: replace(each, escalated_at=now))


def _ends(policy: Policy, owing: Sequence[Alert], plan: AlertPlan, now: datetime) -> None:
    ends = [each.ended_at for each in owing if each.ended_at]
    if not ends or min(ends) + policy.group > now >= min(ends):
        return
    _sent(AlertMessage("back", tuple(owing)), owing, plan, lambda each: replace(each, owes_back=False))
    escalated = tuple(each for each in owing if each.escalated_at)
    if escalated:
        plan.messages.append(AlertMessage("back", escalated, to_second=True))


def _sent(
    message: AlertMessage, alerts: Sequence[Alert], plan: AlertPlan, stamp: Callable[[Alert], Alert]
) -> list[Alert]:
    """AlertPlan a message and stamp its alerts, by identity; return all alerts as they are then."""
    keys = {(each.key, each.pk) for each in message.alerts}
    after = [stamp(each) if (each.key, each.pk) in keys else each for each in alerts]
    for each in after:
        if (each.key, each.pk) in keys:
            plan.put(each)
    plan.messages.append(message)
    return after


def inhibited(
    down: Mapping[Key, Down], active_hosts: Mapping[int, Mapping[str, int]], host_of: Callable[[str], str]
) -> dict[Key, Down]:
    """The same, where the children of a known cause have it as their silence.

    Children are what a silent proxy last listed, and destinations of a host (two or more) that are all down,
    for which one alert of the host is added. `active_hosts` counts active destinations by proxy and host.
    """
    silent = {key[0] for key, each in down.items() if each.state == "proxy" and not each.silence}

    def is_child(key: Key, each: Down) -> bool:
        return key[0] in silent and each.state not in {"proxy", "restart", "panel"} and not each.silence

    found = {
        key: replace(each, silence="Proxy does not answer") if is_child(key, each) else each
        for key, each in down.items()
    }
    return found | _hosts(found, active_hosts, host_of)


def _hosts(
    down: Mapping[Key, Down], active_hosts: Mapping[int, Mapping[str, int]], host_of: Callable[[str], str]
) -> dict[Key, Down]:
    children: dict[tuple[int, str, str], list[Key]] = defaultdict(list)
    for key, each in down.items():
        host = host_of(key[3]) if each.state in {"probing", "inactive"} and not each.silence else ""
        if host and key[0] is not None and not active_hosts.get(key[0], {}).get(host):
            children[key[0], key[1], host].append(key)
    found: dict[Key, Down] = {}
    for (proxy_id, partition, host), keys in children.items():
        if len(keys) > 1:
            since = min(down[key].since for key in keys)
            sets = ", ".join(str(setid) for setid in sorted({key[2] for key in keys})[:10])
            detail = f"{len(keys)} destinations in set {sets}"
            found[proxy_id, partition, -1, f"host {host}"] = Down(host, "host", since, detail=detail)
            found |= {key: replace(down[key], silence=f"Host {host} is down") for key in keys}
    return found
