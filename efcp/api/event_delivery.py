"""Webhooks of events: each event is in one message for each receiver, signed as notifications are.

The leading watcher stores a message in the transaction that moves the receiver's cursor, so that no event is
lost or in two messages. Messages of a receiver are sent in order; one that got no receipt is sent again after
a pause, under the same id, and given up in the end. While many wait, no more are stored: the cursor waits.
"""

from datetime import datetime, timedelta
from secrets import token_hex

from django.db import transaction
from django.utils import timezone

from efcp.api.models import DeliveryState, EventDelivery, EventWebhook
from efcp.proxies.fan_out import fan_out
from efcp.proxies.locking import retried_on_lock

EVERY_S = 2.0
MOST_RECEIVERS = 20
MOST_EVENTS = 100
"""Events of each kind in one message."""
MOST_WAITING = 50
"""Messages of one receiver that wait to be sent."""
LOST_AFTER = timedelta(minutes=2)
"""After which a message that was being sent when its process died is sent again."""


def run_due(now: datetime) -> None:
    """Store the messages that are due, and send the first one of each receiver."""
    receivers = list(EventWebhook.objects.filter(enabled=True)[:MOST_RECEIVERS])
    if not receivers:
        return
    for receiver in receivers:
        collect(receiver, now)
    due = [each for receiver in receivers if (each := _claimed(receiver, now)) is not None]
    fan_out(due, _posted, _store)


@retried_on_lock
def collect(receiver: EventWebhook, now: datetime) -> None:
    """Store a message with what happened since the receiver's cursor, if anything did."""
    from efcp.api.records import SOURCES, event_cursor, positions_of, settled

    waiting = receiver.deliveries.filter(state__in=[DeliveryState.WAITING, DeliveryState.SENDING])
    if waiting.count() >= MOST_WAITING:
        return
    positions = positions_of(receiver.cursor)
    after, events = list(positions), []
    for number, source in enumerate(SOURCES):
        if source.kind in receiver.kinds:
            rows = settled(source, positions[number], MOST_EVENTS)
            events += [{"kind": source.kind, "data": source.as_json(row)} for row in rows]
            after[number] = rows[-1].pk if rows else positions[number]
    if not events:
        return
    key, cursor = token_hex(16), event_cursor(after)
    with transaction.atomic():
        current = EventWebhook.objects.filter(pk=receiver.pk, cursor=receiver.cursor)
        if not current.update(cursor=cursor):
            return
        EventDelivery.objects.create(
            receiver=receiver,
            key=key,
            content={"id": key, "receiver": receiver.name, "events": events, "next": cursor},
            event_count=len(events),
            created_at=now,
            next_try_at=now,
        )


@retried_on_lock
def _claimed(receiver: EventWebhook, now: datetime) -> EventDelivery | None:
    """The receiver's first message, if it is due and no other process sends it."""
    lost = receiver.deliveries.filter(state=DeliveryState.SENDING, next_try_at__lte=now - LOST_AFTER)
    lost.update(state=DeliveryState.WAITING)
    open_ones = receiver.deliveries.filter(state__in=[DeliveryState.WAITING, DeliveryState.SENDING])
    first = open_ones.order_by("pk").first()
    if first is None or first.next_try_at > now:
        return None
    claim = EventDelivery.objects.filter(pk=first.pk, state=DeliveryState.WAITING)
    if not claim.update(state=DeliveryState.SENDING, next_try_at=now):
        return None
    first.receiver = receiver
    return first


def _posted(delivery: EventDelivery) -> tuple[EventDelivery, str]:
    """Send a message; the error, or an empty text. No database here."""
    from efcp.operations.alerts.delivery import WebhookError, post_webhook

    try:
        post_webhook(delivery.receiver, delivery)
    except WebhookError as error:
        return delivery, str(error)
    return delivery, ""


@retried_on_lock
def _store(posted: tuple[EventDelivery, str]) -> None:
    from efcp.operations.alerts.delivery import PAUSES

    delivery, error = posted
    delivery.tries += 1
    delivery.error = error[:255]
    if not error:
        delivery.state = DeliveryState.SENT
    elif delivery.tries > len(PAUSES):
        delivery.state = DeliveryState.GIVEN_UP
    else:
        delivery.state = DeliveryState.WAITING
        delivery.next_try_at = timezone.now() + PAUSES[delivery.tries - 1]
    delivery.save(update_fields=["tries", "error", "state", "next_try_at"])
