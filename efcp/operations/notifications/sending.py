"""Sending notices: by e-mail, or to a webhook with a signature; again after a while where that fails.

A notice is claimed in the database before it is sent. Where the process died while it was being sent, or a
mail server gave no answer, nobody knows whether it arrived: it is told as unknown, and not sent again. But a
webhook that gave no answer is asked again: it knows a repeated message by its id.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone

from efcp.operations.models import Channel, Notice, NoticeState, NotificationRule
from efcp.operations.notifications import mailing, webhook
from efcp.operations.notifications.noticing import make_notices
from efcp.proxies.locking import retried_on_lock

log = logging.getLogger(__name__)

EVERY_S = 2.0
AT_ONCE = 20
"""Messages of one beat: each may take its whole limit."""

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 7200))
"""After the first try, the second, and so on; then it is given up."""

LOST_AFTER = timedelta(minutes=5)
_SENDERS: dict[str, Callable[[NotificationRule, Notice], None]] = {
    Channel.EMAIL: mailing.send,
    Channel.WEBHOOK: webhook.send,
}


def carry_out(now: datetime) -> None:
    """Make what is to be told, and send what is due."""
    make_notices(now)
    _give_up_lost(now)
    due = Notice.objects.filter(state=NoticeState.WAITING, next_try_at__lte=now, rule__enabled=True)
    for notice in due.select_related("rule").order_by("pk")[:AT_ONCE]:
        if _claim(notice):
            send(notice)


@retried_on_lock
def _give_up_lost(now: datetime) -> None:
    lost = Notice.objects.filter(state=NoticeState.SENDING, next_try_at__lte=now - LOST_AFTER)
    for pk in list(lost.values_list("pk", flat=True)[:AT_ONCE]):
        Notice.objects.filter(pk=pk, state=NoticeState.SENDING).update(
            state=NoticeState.UNKNOWN, error="The panel ended while it was being sent."
        )


@retried_on_lock
def _claim(notice: Notice) -> bool:
    """Whether it is this process that is to send it."""
    waiting = Notice.objects.filter(pk=notice.pk, state=NoticeState.WAITING)
    return bool(waiting.update(state=NoticeState.SENDING, next_try_at=timezone.now()))


@retried_on_lock
def _store(notice: Notice) -> None:
    notice.save(update_fields=["tries", "state", "next_try_at", "error"])


def send(notice: Notice) -> None:
    """Send a claimed notice once, and store what came of it."""
    notice.tries += 1
    try:
        _SENDERS[notice.rule.channel](notice.rule, notice)
    except mailing.MaybeSentError as error:
        notice.state, notice.error = NoticeState.UNKNOWN, str(error)[:255]
    except (mailing.MailError, webhook.WebhookError) as error:
        notice.error = str(error)[:255]
        if notice.tries > len(PAUSES):
            notice.state = NoticeState.GIVEN_UP
            log.warning("The notice %s of %s is given up: %s", notice.key, notice.rule.name, notice.error)
        else:
            notice.state = NoticeState.WAITING
            notice.next_try_at = timezone.now() + PAUSES[notice.tries - 1]
    else:
        notice.state, notice.error = NoticeState.SENT, ""
    _store(notice)
