"""Stores what becomes of each rule's alerts, and creates the notices that are due.

An alert begins when something becomes what the rule counts as down, and goes on however it changes among
such states. It is kept in a row of its own: that row, and the lock on the rule, make sure that each is
notified once, whichever process looks and however often it restarts. What a proxy that does not answer holds
is unknown, not down: its alerts stay as they were.

What becomes of them is decided by `reconcile`; here it is read and written, in one transaction per rule.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Q

from efcp.accounts.time_zones import known as known_zone
from efcp.operations.alerts.conditions import MAX_DOWN, Conditions
from efcp.operations.alerts.content import content_of
from efcp.operations.alerts.models import Condition, Notice, NotificationRule, Outage
from efcp.operations.alerts.reconcile import (
    Alert,
    AlertMessage,
    AlertPlan,
    Down,
    Key,
    Policy,
    QuietHours,
    reconcile,
)
from efcp.proxies.locking import retried_on_lock

_COLUMNS = tuple(each.name for each in fields(Alert) if each.name not in {"key", "pk", "changes"})
_KEY = ("proxy_id", "partition", "setid", "uri_key")


def create_notices(now: datetime, conditions: Conditions | None = None) -> int:
    """Update every rule's alerts and create the notices that are due; return how many.

    `conditions` is kept from beat to beat by the caller, who calls this regularly.
    """
    reader = conditions or Conditions()
    rules = NotificationRule.objects.filter(enabled=True).values_list("pk", flat=True)
    return sum(_of_rule(pk, reader, now) for pk in rules)


def policy_of(rule: NotificationRule) -> Policy:
    """What the rule wants, for `reconcile`."""
    quiet = None
    if rule.quiet_from and rule.quiet_to:
        zone = known_zone(rule.quiet_zone) or ZoneInfo("UTC")
        days = frozenset(rule.quiet_days)
        quiet = QuietHours(rule.quiet_from, rule.quiet_to, days, zone, rule.quiet_severity)
    return Policy(
        since=rule.since,
        after=timedelta(seconds=rule.after_s),
        group=timedelta(seconds=rule.group_s),
        notify_recovery=rule.notify_recovery,
        repeat=timedelta(minutes=rule.repeat_min) if rule.repeat_min else None,
        escalate=timedelta(minutes=rule.escalate_min) if rule.escalate_to_id else None,
        flap_changes=rule.flap_changes,
        flap=timedelta(seconds=rule.flap_s),
        quiet=quiet,
    )


@retried_on_lock
@transaction.atomic
def _of_rule(rule_id: int, conditions: Conditions, now: datetime) -> int:
    rule = NotificationRule.objects.select_for_update().filter(pk=rule_id, enabled=True).first()
    if rule is None or (conditions.panel_only and Condition.PANEL not in rule.states):
        return 0
    down = conditions.of_rule(rule, now)
    before = _alerts(rule, only_panel=conditions.panel_only)
    if not down and not before:
        return 0
    plan = reconcile(policy_of(rule), before, _recent(rule, down, before, now), down, now)
    stored = _store(rule, plan, before)
    for message in plan.messages:
        _create(rule, message, stored, now)
    return len(plan.messages)


def _alerts(rule: NotificationRule, *, only_panel: bool) -> list[Alert]:
    rows = rule.outages.filter(Q(closed_as=0) | Q(owes_back=True))
    if only_panel:
        rows = rows.filter(state=Condition.PANEL)
    names = (*_KEY, "pk", "changes", *_COLUMNS)
    return [
        Alert(key=row[:4], pk=row[4], changes=tuple(row[5]), **dict(zip(_COLUMNS, row[6:], strict=True)))
        for row in rows.order_by("pk").values_list(*names)[:MAX_DOWN]
    ]


def _recent(
    rule: NotificationRule, down: Mapping[Key, Down], before: Iterable[Alert], now: datetime
) -> dict[Key, list[int]]:
    """When what is new changed lately, by its alerts that are closed."""
    is_new = down.keys() - {each.key for each in before if each.ended_at is None}
    if not is_new or not rule.flap_changes:
        return {}
    closed = rule.outages.filter(closed_as__gt=0, ended_at__gte=now - timedelta(seconds=rule.flap_s))
    rows = closed.order_by("ended_at").values_list(*_KEY, "changes")[:MAX_DOWN]
    return {row[:4]: row[4] for row in rows if row[:4] in is_new}


def _store(rule: NotificationRule, plan: AlertPlan, before: Iterable[Alert]) -> dict[Key, int]:
    """Write the plan's alerts; return the numbers of the open ones that were written."""
    new = [
        Outage(
            rule=rule,
            **dict(zip(_KEY, each.key, strict=True)),
            changes=list(each.changes),
            **{name: getattr(each, name) for name in _COLUMNS},
        )
        for each in plan.opened.values()
    ]
    Outage.objects.bulk_create(new, batch_size=500)
    for values, numbers in _changes(plan, before).items():
        for begin in range(0, len(numbers), 500):
            Outage.objects.filter(pk__in=numbers[begin : begin + 500]).update(**dict(values))
    closed = [pk for pk, each in plan.updated.items() if each.ended_at]
    for begin in range(0, len(closed), 500):
        Outage.objects.filter(pk__in=closed[begin : begin + 500]).update(closed_as=F("pk"))
    if not plan.messages:
        return {}
    written = rule.outages.filter(closed_as=0).values_list(*_KEY, "pk")
    return {row[:4]: row[4] for row in written[:MAX_DOWN]}


def _changes(plan: AlertPlan, before: Iterable[Alert]) -> dict[tuple[tuple[str, Any], ...], list[int]]:
    """The alerts by what changes in them: of thousands that go down at once, that is the same."""
    former = {each.pk: each for each in before}
    found: dict[tuple[tuple[str, Any], ...], list[int]] = {}
    for pk, each in plan.updated.items():
        names = [name for name in (*_COLUMNS, "changes") if getattr(each, name) != getattr(former[pk], name)]
        values = tuple((name, getattr(each, name)) for name in names)
        found.setdefault(values, []).append(pk)
    return found


def _create(rule: NotificationRule, message: AlertMessage, stored: Mapping[Key, int], now: datetime) -> None:
    key = secrets.token_hex(16)
    notice = Notice.objects.create(
        rule=rule,
        receiver=rule.escalate_to if message.to_second else None,
        key=key,
        kind=message.kind,
        content=content_of(rule, message, key, now),
        created_at=now,
        next_try_at=now,
    )
    if message.kind in {"down", "flapping"}:
        numbers = [stored[each.key] for each in message.alerts if each.key in stored]
        for begin in range(0, len(numbers), 500):
            rows = Outage.objects.filter(pk__in=numbers[begin : begin + 500])
            rows.update(notice=notice)
