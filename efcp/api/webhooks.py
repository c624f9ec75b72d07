"""Webhooks of events as resources, with the log of their deliveries."""

from typing import Any, Literal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Field, Query, Router, Schema

from efcp.accounts.roles import ADMINISTER
from efcp.api.authentication import caller_of
from efcp.api.event_delivery import MOST_RECEIVERS
from efcp.api.exchange import PageQuery, answered_page, answered_resource, moment, require_version, version_of
from efcp.api.models import EventDelivery, EventWebhook
from efcp.api.operations import StrictBody, declared, page_of, written
from efcp.api.problems import not_found, refused
from efcp.api.records import SOURCES, event_cursor, positions_of
from efcp.api.writes import Work, WriteQuery, answered_write, carry_out, carry_out_deletion, conflicts_as_412
from efcp.audit.edit_tokens import require_current, token_of
from efcp.audit.services import Actor, Subject, record
from efcp.editing.table import MAX_INT
from efcp.mi import Endpoint, EndpointError
from efcp.mi.endpoint import Reach
from efcp.operations.alerts.delivery import encrypted_secret

MIN_SECRET = 16
Kind = Literal["write", "state", "reload"]
router = Router()


class EventWebhookOut(Schema):
    """A webhook of events."""

    id: int = Field(description="The webhook's id.")
    etag: str = Field(description="Its version, for If-Match.")
    name: str | None = Field(None, description="Its name.")
    enabled: bool | None = Field(None, description="Whether it gets events.")
    kinds: list[str] | None = Field(None, description="The kinds of events that it gets.")
    url: str | None = Field(None, description="Where it is, without its path.")
    cursor: str | None = Field(None, description="How far its messages reach; `GET /events` goes on from it.")


class EventWebhookBody(StrictBody):
    """A webhook of events."""

    name: str = Field(min_length=1, max_length=64, description="Its name.")
    url: str = Field(min_length=1, max_length=255, description="http:// or https://")
    secret: str = Field(min_length=MIN_SECRET, max_length=128, description="Signs messages; never shown.")
    kinds: list[Kind] = Field(
        ["write", "state", "reload"], min_length=1, max_length=3, description="The events that it gets."
    )
    enabled: bool = Field(True, description="Whether it gets events.")


class EventWebhookChanges(StrictBody):
    """What is changed of a webhook; what is null or left out stays."""

    name: str | None = Field(None, min_length=1, max_length=64, description="Its name.")
    url: str | None = Field(None, min_length=1, max_length=255, description="Needs the secret again.")
    secret: str | None = Field(None, min_length=MIN_SECRET, max_length=128, description="Signs messages.")
    kinds: list[Kind] | None = Field(None, min_length=1, max_length=3, description="Its events.")
    enabled: bool | None = Field(None, description="Whether it gets events.")


class EventDeliveryOut(Schema):
    """One message to a webhook."""

    id: int = Field(description="The delivery's id.")
    key: str | None = Field(None, description="The message's own `id`, the same when it is sent again.")
    event_count: int | None = Field(None, description="How many events it has.")
    created_at: str | None = Field(None, description="When it was stored.")
    state: str | None = Field(None, description="waiting, sending, sent or given up.")
    tries: int | None = Field(None, description="How often it was sent.")
    next_try_at: str | None = Field(None, description="When it is sent next, while it waits.")
    error: str | None = Field(None, description="Why it was not taken.")


def _as_json(receiver: EventWebhook) -> dict[str, Any]:
    return {
        "id": receiver.pk,
        "etag": version_of(receiver),
        "name": receiver.name,
        "enabled": receiver.enabled,
        "kinds": receiver.kinds,
        "url": receiver.masked_url,
        "cursor": receiver.cursor,
    }


def _delivery_as_json(delivery: EventDelivery) -> dict[str, Any]:
    names = ("key", "event_count", "state", "tries", "error")
    times = {name: moment(getattr(delivery, name)) for name in ("created_at", "next_try_at")}
    return {"id": delivery.pk, **{name: getattr(delivery, name) for name in names}, **times}


def _find(row_id: int) -> EventWebhook:
    found = EventWebhook.objects.filter(pk=min(row_id, MAX_INT)).first()
    if found is None:
        raise not_found("There is no such webhook.")
    return found


def _subject(receiver: EventWebhook) -> Subject:
    return Subject("event webhook", str(receiver.pk), receiver.name)


def _for_audit(receiver: EventWebhook) -> dict[str, Any]:
    names = ("name", "enabled", "kinds", "masked_url")
    return {name: getattr(receiver, name) for name in names}


def _set(receiver: EventWebhook, values: dict[str, Any]) -> None:
    """Take values over; new kinds begin now. Raises ProblemError."""
    if "url" in values:
        if "secret" not in values:
            raise refused("secret", "required", "Another address needs the secret again.")
        try:
            receiver.url = Endpoint.parse(values["url"], reach=Reach(settings.WEBHOOK_NETWORKS)).url
        except EndpointError as error:
            text = str(error).replace("MI address", "webhook's address")
            raise refused("url", "address", text) from None
    if "secret" in values:
        receiver.secret_encrypted = encrypted_secret(values["secret"])
    kinds = sorted(set(values.get("kinds", receiver.kinds)))
    former = positions_of(receiver.cursor)
    positions = zip(SOURCES, former, positions_of(""), strict=True)
    receiver.cursor = event_cursor(
        [old if each.kind in receiver.kinds else now for each, old, now in positions]
    )
    receiver.kinds = kinds
    receiver.name = values.get("name", receiver.name)
    receiver.enabled = values.get("enabled", receiver.enabled)


def _save(receiver: EventWebhook, before: dict[str, Any] | None, actor: Actor, token: str | None) -> None:
    """Store it with its audit record. Raises ProblemError, StaleFormError."""
    try:
        with transaction.atomic():
            if token is not None:
                stored = EventWebhook.objects.select_for_update().filter(pk=receiver.pk).first()
                require_current(token, stored or EventWebhook(), _subject(receiver))
            receiver.save()
            action = "edit" if before else "add"
            record(actor, action, _subject(receiver), before=before, after=_for_audit(receiver))
    except IntegrityError:
        raise refused("name", "taken", "Another webhook has this name.") from None


@router.get(
    "/webhooks",
    summary="List webhooks",
    description="In the order of their ids.",
    operation_id="list_webhooks",
    url_name="webhooks",
    tags=["events"],
    **declared(ADMINISTER, answer=page_of(EventWebhookOut)),
)
def list_webhooks(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The webhooks."""
    return answered_page(EventWebhook.objects.all(), query, _as_json)


@router.get(
    "/webhooks/{int:row_id}",
    summary="Get a webhook",
    description="With its version as ETag.",
    operation_id="get_webhook",
    url_name="webhook",
    tags=["events"],
    **declared(ADMINISTER, answer=EventWebhookOut),
)
def get_webhook(request: HttpRequest, row_id: int) -> HttpResponse:
    """One webhook."""
    return answered_resource(request, _as_json(_find(row_id)))


@router.post(
    "/webhooks",
    summary="Add a webhook",
    description="It gets every event from now on, as `GET /events` has it, signed as notifications are.",
    operation_id="add_webhook",
    url_name="webhooks",
    tags=["events"],
    **declared(
        ADMINISTER,
        answer=written(EventWebhookOut),
        status=201,
        writes=True,
        example={"name": "chat", "url": "https://hooks.example.org/efcp", "secret": "sixteen or more of it"},
    ),
)
def add_webhook(request: HttpRequest, body: EventWebhookBody, how: Query[WriteQuery]) -> HttpResponse:
    """Add a webhook."""

    def prepare() -> Work:
        if EventWebhook.objects.count() >= MOST_RECEIVERS:
            raise refused("name", "too_many", f"There are at most {MOST_RECEIVERS} webhooks.")
        receiver = EventWebhook()
        _set(receiver, body.model_dump())

        def work() -> HttpResponse:
            receiver.pk = None
            _save(receiver, None, caller_of(request).actor, None)
            location = reverse("api:webhook", args=[receiver.pk])
            return answered_write(_as_json(receiver), how, 201, location=location)

        return work

    return carry_out(request, how, prepare)


@router.patch(
    "/webhooks/{int:row_id}",
    summary="Change a webhook",
    description="Only the fields that are sent are written.",
    operation_id="change_webhook",
    url_name="webhook",
    tags=["events"],
    **declared(
        ADMINISTER,
        answer=written(EventWebhookOut),
        writes=True,
        versioned=True,
        example={"enabled": False},
    ),
)
def change_webhook(
    request: HttpRequest, row_id: int, body: EventWebhookChanges, how: Query[WriteQuery]
) -> HttpResponse:
    """Change a webhook."""

    def prepare() -> Work:
        receiver = _find(row_id)
        given = {
            name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None
        }
        current = _as_json(receiver)
        requested = current | {name: value for name, value in given.items() if name not in {"url", "secret"}}
        require_version(request, current, requested)
        token, before = token_of(receiver), _for_audit(receiver)
        _set(receiver, given)

        def work() -> HttpResponse:
            with conflicts_as_412(lambda: _as_json(_find(row_id)), requested):
                _save(receiver, before, caller_of(request).actor, token)
            return answered_write(_as_json(receiver), how)

        return work

    return carry_out(request, how, prepare)


@router.delete(
    "/webhooks/{int:row_id}",
    summary="Delete a webhook",
    description="With its messages that wait, and their log.",
    operation_id="delete_webhook",
    url_name="webhook",
    tags=["events"],
    **declared(ADMINISTER, answer=written(EventWebhookOut), writes=True, versioned=True),
)
def delete_webhook(request: HttpRequest, row_id: int, how: Query[WriteQuery]) -> HttpResponse:
    """Delete a webhook."""

    def delete(receiver: EventWebhook, token: str) -> None:
        stored = EventWebhook.objects.select_for_update().filter(pk=receiver.pk).first()
        require_current(token, stored or EventWebhook(), _subject(receiver))
        record(caller_of(request).actor, "delete", _subject(receiver), before=_for_audit(receiver))
        receiver.delete()

    return carry_out_deletion(request, how, lambda: _find(row_id), _as_json, delete)


@router.get(
    "/webhooks/{int:row_id}/deliveries",
    summary="List a webhook's deliveries",
    description="The newest first, kept for seven days.",
    operation_id="list_webhook_deliveries",
    url_name="webhook-deliveries",
    tags=["events"],
    **declared(ADMINISTER, answer=page_of(EventDeliveryOut)),
)
def list_webhook_deliveries(request: HttpRequest, row_id: int, query: Query[PageQuery]) -> HttpResponse:
    """The log of one webhook."""
    return answered_page(_find(row_id).deliveries.all(), query, _delivery_as_json, newest_first=True)
