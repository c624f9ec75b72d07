"""What happened last, newest first: changes of state, writes of people, reloads."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.urls import reverse

from efcp.audit.selectors import recent_writes
from efcp.modules.registry import ReloadOutcome
from efcp.operations.reloads.models import ReloadRun
from efcp.proxies.models import StateChange
from efcp.proxies.selectors import WatchedProxy
from efcp.proxies.set_counts import listed_names

SHOWN = 14
READ_CHANGES = 200
"""Changes of state that are read and grouped."""

SAME_MOMENT = timedelta(seconds=2)
"""Changes on one proxy to one state within this time are one event."""

NOT_SHOWN = ("sign in", "sign out", "time zone", "preferences", "throttle", "reload")
"""Actions that change nothing an operator looks after, and reloads, which are read with their results."""

FAILED = set(ReloadOutcome) - {ReloadOutcome.WAITING, ReloadOutcome.RUNNING, ReloadOutcome.DONE}

_VERBS = {
    "add": "added",
    "cancel": "cancelled",
    "change password": "changed the password of",
    "count": "counted",
    "delete": "deleted",
    "edit": "changed",
    "keep": "saved the",
    "maintenance": "scheduled maintenance of",
    "name": "named",
    "probe": "probed",
    "reset": "reset",
    "set password": "set the password of",
    "state": "set the state of",
    "test": "tested",
    "translate": "translated",
    "upload": "uploaded",
}
_KINDS = {
    "dialplan": "rule ",
    "dialplan lead": "next hop of ",
    "dialplan test case": "test case ",
    "notification": "notification ",
    "proxy": "proxy ",
    "user": "user ",
}
"""What is put before a label that does not say itself what it names."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of what happened. `kind` is "state", "write" or "reload"; `state` is that after a change.

    `what` is a URI or a label, `words` what happened to it, `where` the set or proxies.
    """

    at: datetime
    kind: str
    who: str
    words: str
    what: str
    where: str
    url: str
    state: str = ""
    before: str = ""


def recent_events(watched: Sequence[WatchedProxy]) -> tuple[Event, ...]:
    """The last SHOWN events of all kinds."""
    found = [*islice(_states(watched), SHOWN), *_writes(), *_reloads()]
    return tuple(sorted(found, key=lambda each: each.at, reverse=True)[:SHOWN])


def _states(watched: Sequence[WatchedProxy]) -> Iterator[Event]:
    changes = StateChange.objects.filter(proxy__in=[each.proxy.pk for each in watched])
    newest = changes.select_related("proxy").order_by("-pk")[:READ_CHANGES]
    for group in _groups(newest):
        first = group[0]
        sets = sorted({each.setid for each in group})
        which = f"set {first.setid}" if len(sets) == 1 else f"{len(sets)} sets"
        yield Event(
            at=first.at,
            kind="state",
            who=first.proxy.name,
            words="",
            what=first.uri if len(group) == 1 else f"{len(group)} destinations",
            where=f"in {which} on {first.proxy.name}",
            url=f"{reverse('operations:board')}#set-{first.setid}",
            state=first.state_after or "absent",
            before=first.state_before or "absent",
        )


def _groups(changes: Iterable[StateChange]) -> Iterable[list[StateChange]]:
    """Changes that are alike and of one moment, by the newest of each group."""
    groups: list[list[StateChange]] = []
    latest: dict[tuple[int, str, str], list[StateChange]] = {}
    for each in changes:
        key = (each.proxy_id, each.state_before, each.state_after)
        group = latest.get(key)
        if group is None or abs(group[0].at - each.at) > SAME_MOMENT:
            group = latest[key] = []
            groups.append(group)
        group.append(each)
    return groups


def _writes() -> Iterator[Event]:
    for record in recent_writes(SHOWN, NOT_SHOWN):
        yield Event(
            at=record.at,
            kind="write",
            who=record.actor,
            words=_VERBS.get(record.action, f"{record.action}:"),
            what=f"{_KINDS.get(record.subject_kind, '')}{record.subject_label}",
            where=record.reason,
            url=reverse("audit:record", args=[record.pk]),
        )


def _reloads() -> Iterator[Event]:
    runs = ReloadRun.objects.order_by("-pk").prefetch_related("results__proxy")[:SHOWN]
    for run in runs:
        results = list(run.results.all())
        failed = [each.proxy.name for each in results if each.known_outcome() in FAILED]
        names = listed_names([each.proxy.name for each in results])
        yield Event(
            at=run.started_at,
            kind="reload",
            who=run.actor,
            words="reloaded",
            what=run.declaration.label,
            where=f"failed on {listed_names(failed)}" if failed else f"on {names}",
            url=run.get_absolute_url(),
            state="bad" if failed else "",
        )
