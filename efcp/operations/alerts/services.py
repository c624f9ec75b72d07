"""Writing rules, with their audit records; and a message to test one."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from efcp.audit.edit_tokens import require_current
from efcp.audit.services import Actor, Subject, record, stored_despite
from efcp.operations.alerts.delivery import encrypted_secret, send
from efcp.operations.alerts.models import Channel, Notice, NoticeState, NotificationRule
from efcp.proxies.models import Proxy

_PLAIN = (
    "name",
    "enabled",
    "min_active",
    "min_share",
    "after_s",
    "group_s",
    "repeat_min",
    "escalate_min",
    "flap_changes",
    "flap_s",
    "quiet_from",
    "quiet_to",
    "quiet_days",
    "quiet_zone",
    "quiet_severity",
    "notify_recovery",
    "channel",
    "recipients",
)
"""The columns that are stored as the form has them."""

_SECRET_SHOWN = "***"  # noqa: S105 - a mask


class NotificationRuleGoneError(Exception):
    """The rule was deleted meanwhile; nothing was written."""


@dataclass(frozen=True, slots=True)
class RuleValues:
    """What the form of a rule holds; `url` and `secret` are None where the stored one stays."""

    name: str
    enabled: bool
    setids: tuple[int, ...]
    proxies: tuple[Proxy, ...]
    states: tuple[str, ...]
    min_active: int
    after_s: int
    notify_recovery: bool
    channel: Channel
    recipients: str
    url: str | None
    secret: str | None
    min_share: int = 0
    group_s: int = 10
    repeat_min: int = 0
    escalate_to: NotificationRule | None = None
    escalate_min: int = 15
    flap_changes: int = 6
    flap_s: int = 300
    quiet_from: time | None = None
    quiet_to: time | None = None
    quiet_days: Sequence[int] = ()
    quiet_zone: str = "UTC"
    quiet_severity: str = "warning"


def save(
    rule: NotificationRule | None, values: RuleValues, actor: Actor, original: str | None = None
) -> NotificationRule:
    """Add a rule, or change one.

    Where it is new, enabled again or covers other destinations than before, it starts with outages
    that begin from then on. `original` is the edit token of the form that changes one. Raises
    NotificationRuleGoneError or StaleFormError.
    """
    with transaction.atomic():
        rule = _locked(rule, original) if rule else None
        before = _for_audit(rule) if rule else None
        begins_anew = rule is None or not rule.enabled or _looks_after(rule) != _wants(values)
        kept = rule or NotificationRule()
        for name in _PLAIN:
            setattr(kept, name, getattr(values, name))
        kept.quiet_days = list(values.quiet_days)
        kept.escalate_to = values.escalate_to
        kept.setids, kept.states = list(values.setids), list(values.states)
        if values.url is not None:
            kept.url = values.url
        if values.secret is not None:
            kept.secret_encrypted = encrypted_secret(values.secret)
        if begins_anew:
            kept.since = timezone.now()
        kept.save()
        kept.proxies.set(values.proxies)
        if begins_anew:
            kept.outages.filter(closed_as=0).delete()
        record(actor, "edit" if rule else "add", _subject(kept), before=before, after=_for_audit(kept))
    return kept


def delete(rule: NotificationRule, actor: Actor, original: str | None = None) -> None:
    """Delete a rule with its notices. Raises NotificationRuleGoneError or StaleFormError."""
    with transaction.atomic():
        rule = _locked(rule, original)
        record(actor, "delete", _subject(rule), before=_for_audit(rule))
        rule.delete()


def _locked(rule: NotificationRule, original: str | None) -> NotificationRule:
    stored = NotificationRule.objects.select_for_update().filter(pk=rule.pk).first()
    if stored is None:
        raise NotificationRuleGoneError
    require_current(original, stored, _subject(stored))
    return stored


def test(rule: NotificationRule, actor: Actor) -> Notice:
    """Send a message now, once, and return the outcome."""
    now, key = timezone.now(), secrets.token_hex(16)
    content = {
        "id": key,
        "kind": "test",
        "rule": rule.name,
        "at": now.isoformat(timespec="seconds"),
        "proxies": [],
        "sets": [],
        "destinations": [],
        "further": 0,
    }
    notice = Notice(
        rule=rule,
        key=key,
        kind="test",
        content=content,
        created_at=now,
        next_try_at=now,
        state=NoticeState.SENDING,
    )
    try:
        with transaction.atomic():
            notice.save(force_insert=True)
            record(actor, "test", _subject(rule))
    except (OperationalError, InterfaceError) as error:
        if stored_despite(error, actor) is None:
            raise
    send(notice)
    if notice.state == NoticeState.WAITING:
        notice.state = NoticeState.GIVEN_UP
        notice.save(update_fields=["state"])
    return notice


_Scope = tuple[list[int], list[str], int, int, set[int]]


def _looks_after(rule: NotificationRule) -> _Scope:
    return (
        rule.setids,
        rule.states,
        rule.min_active,
        rule.min_share,
        {proxy.pk for proxy in rule.proxies.all()},
    )


def _wants(values: RuleValues) -> _Scope:
    proxies = {proxy.pk for proxy in values.proxies}
    return list(values.setids), list(values.states), values.min_active, values.min_share, proxies


def _subject(rule: NotificationRule) -> Subject:
    return Subject("notification", str(rule.pk), rule.name)


def _for_audit(rule: NotificationRule) -> dict[str, Any]:
    values = {name: getattr(rule, name) for name in (*_PLAIN, "setids", "states")}
    hours = {name: each.strftime("%H:%M") for name, each in values.items() if isinstance(each, time)}
    return (
        values
        | hours
        | {
            "escalate_to": rule.escalate_to.name if rule.escalate_to else "",
            "url": rule.masked_url,
            "proxies": sorted(proxy.name for proxy in rule.proxies.all()),
            "secret": _SECRET_SHOWN if rule.secret_encrypted else "",
        }
    )
