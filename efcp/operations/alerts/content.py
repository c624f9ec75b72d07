"""What a message says: as data, for webhooks and the log, and as short text, for people."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from dispatcher.routing.weights import shares
from dispatcher.selectors import set_names
from efcp.operations.alerts.models import STATE_WORDS, Condition, NotificationRule
from efcp.operations.alerts.reconcile import Alert, AlertMessage
from efcp.proxies.models import KnownDestination, Proxy

MAX_LISTED = 100
"""Destinations named in one message; of more, their number."""

_KINDS = {
    "down": "down",
    "back": "back",
    "test": "test",
    "still": "still down",
    "escalated": "not acknowledged",
    "flapping": "flapping",
    "summary": "summary",
}
_DESTINATION_STATES = frozenset({Condition.PROBING, Condition.INACTIVE, Condition.ABSENT})
_FIRST = (Condition.PANEL, Condition.PROXY, Condition.EMPTY, Condition.SET, "host", Condition.RELOAD)


def content_of(rule: NotificationRule, message: AlertMessage, key: str, now: datetime) -> dict[str, Any]:
    """A message as data. `further` is how many alerts are not listed."""
    names = set_names()
    proxies = dict(Proxy.objects.values_list("pk", "name"))
    listed: dict[str, list[dict[str, Any]]] = {"proxies": [], "sets": [], "destinations": [], "others": []}
    chosen = sorted(message.alerts, key=_worst_first)[:MAX_LISTED]
    call_shares = _call_shares(chosen)
    for each in chosen:
        about = _about(each, now)
        if each.key[0] is not None:
            about = {"proxy": proxies.get(each.key[0], ""), "partition": each.key[1]} | about
        of_set = {"set": each.key[2], "set_name": names.get(each.key[2], "")}
        if each.state == Condition.PROXY:
            listed["proxies"].append(about)
        elif each.state in {Condition.SET, Condition.EMPTY}:
            listed["sets"].append(about | of_set | {"fewer_than": rule.min_active})
        elif each.state in _DESTINATION_STATES:
            share = call_shares.get(each.key)
            found = about | of_set | {"uri": each.uri, "state": each.state}
            listed["destinations"].append(found if share is None else found | {"share": share})
        else:
            listed["others"].append(about | {"what": each.state, "name": each.uri})
    return {
        "id": key,
        "kind": message.kind,
        "rule": rule.name,
        "at": now.isoformat(timespec="seconds"),
        **{name: found for name, found in listed.items() if found or name != "others"},
        "further": max(0, len(message.alerts) - MAX_LISTED),
    }


def _about(alert: Alert, now: datetime) -> dict[str, Any]:
    """Since when, and what else there is to say of any alert."""
    found: dict[str, Any] = {"since": alert.began_at.isoformat(timespec="seconds")}
    if alert.detail:
        found["detail"] = alert.detail
    if alert.flapping_since is not None:
        found["changes"] = len(alert.changes)
    if alert.ended_at is not None:
        found["lasted_s"] = max(0, int((alert.ended_at - alert.began_at).total_seconds()))
    return found


def _call_shares(alerts: Sequence[Alert]) -> dict[Any, float]:
    """The percentage of its set's calls that each destination gets by its weight when all are active."""
    places = {each.key[:3] for each in alerts if each.state in _DESTINATION_STATES}
    if not places:
        return {}
    rows = KnownDestination.objects.filter(
        proxy__in={place[0] for place in places}, setid__in={place[2] for place in places}
    ).values_list("proxy_id", "partition", "setid", "uri_key", "weight")
    by_set: dict[Any, list[tuple[str, int]]] = defaultdict(list)
    for proxy_id, partition, setid, key, weight in rows[:50_000]:
        by_set[proxy_id, partition, setid].append((key, weight or 0))
    found: dict[Any, float] = defaultdict(float)
    for place in places & by_set.keys():
        members = by_set[place]
        effective = shares([weight for _key, weight in members], [True] * len(members)).effective
        for (key, _weight), share in zip(members, effective, strict=True):
            found[*place, key] += float(100 * share)
    return {key: round(share, 1) for key, share in found.items()}


def _worst_first(alert: Alert) -> int:
    return _FIRST.index(alert.state) if alert.state in _FIRST else len(_FIRST)


def subject_of(kind: str, content: Mapping[str, Any]) -> str:
    """One line without line breaks, whatever a URI contains."""
    if kind == "test":
        return f"[EFCP] test of {' '.join(str(content['rule']).split())}"
    if kind == "summary":
        return f"[EFCP] summary: {len(content['messages'])} messages while you could not be reached"
    titles = [title for title, _line in _items(kind, content)]
    count = len(titles) + content["further"]
    more = f" and {count - 1:,} more" if count > 1 else ""
    return " ".join(f"[EFCP] {_KINDS[kind]}: {titles[0]}{more}".split())


def body_of(kind: str, content: Mapping[str, Any]) -> str:
    """The text of a message: what, where, since when, and the link to acknowledge it."""
    if kind == "test":
        return "This is a test: messages of this rule reach you.\n"
    if kind == "summary":
        lines = [f"{each['at']}  {each['subject']}" for each in content["messages"]]
        lines += [f"and {content['further']:,} more"] if content["further"] else []
    else:
        lines = [line for _title, line in _items(kind, content)]
        if content["further"]:
            lines.append(f"and {content['further']:,} more")
    lines += ["", f"Rule: {' '.join(str(content['rule']).split())}"]
    if settings.PUBLIC_URL:
        word = "Acknowledge" if kind in {"down", "still", "escalated", "flapping"} else "Details"
        lines.append(f"{word}: {settings.PUBLIC_URL}/cp/system/notifications/messages/{content['id']}/")
        lines.append(f"{settings.PUBLIC_URL}/cp/system/dispatcher/state/")
    return "\n".join(lines) + "\n"


def duration_text(seconds: int) -> str:
    """A duration for people, such as 2 h 5 min."""
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours = seconds // 60 % 60, seconds // 3600
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _items(kind: str, content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the message is about, the worst first: a title, and a line that says since when."""
    is_back = kind == "back"
    found = []
    for each in content.get("others", ()):
        name = each["name"] or each.get("proxy", "")
        title = (
            f"{each['what']} {name}"
            if each["what"] == "host"
            else f"{name}: {STATE_WORDS.get(each['what'], each['what'])}"
        )
        found.append((title, _line(f"{title}: {each.get('detail', '')}".rstrip(": "), each)))
    for each in content.get("proxies", ()):
        title = f"proxy {each['proxy']}"
        answers = "answers again, was silent" if is_back else "does not answer"
        found.append((title, _line(f"{title} {answers}", each)))
    for each in content.get("sets", ()):
        title = f"set {each['set']} {each['set_name']} on {each['proxy']}"
        lack = (
            f"fewer than {each['fewer_than']} active" if each["fewer_than"] > 1 else "no active destination"
        )
        lack = f"{each['detail']}" if each["fewer_than"] > 1 and each.get("detail") else lack
        found.append((title, _line(f"{title}: {'was at ' if is_back else ''}{lack}", each)))
    for each in content.get("destinations", ()):
        was = "up again, was " if is_back else ""
        line = (
            f"{each['uri']} in set {each['set']} {each['set_name']} on {each['proxy']}: {was}{each['state']}"
        )
        found.append((f"{each['uri']} in set {each['set']}", _line(line, each)))
    return found


def _line(text: str, each: Mapping[str, Any]) -> str:
    """The text with since when, for how long, how many changes, and the share of calls."""
    text = f"{text} since {each['since']}"
    if "lasted_s" in each:
        text += f", for {duration_text(each['lasted_s'])}"
    if "share" in each:
        text += f", {each['share']:g} % of the set's calls"
    if "changes" in each:
        text += f", flapping: {each['changes']} changes"
    return text
