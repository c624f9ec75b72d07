"""Proxies, what is known of their memory, and its history."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Field, Query, Router, Schema

from dispatcher import selectors as destinations
from efcp.accounts.roles import ADMINISTER, VIEW
from efcp.api.authentication import caller_of
from efcp.api.exchange import (
    FieldsQuery,
    PageQuery,
    answered,
    answered_items,
    answered_page,
    answered_resource,
    moment,
    require_version,
    version_of,
)
from efcp.api.operations import StrictBody, declared, page_of, written
from efcp.api.problems import form_findings, invalid, not_found, refused
from efcp.api.writes import (
    Work,
    WriteQuery,
    answered_write,
    carry_out,
    conflicts_as_412,
    gone_as_404,
)
from efcp.audit.edit_tokens import token_of
from efcp.editing.table import MAX_INT
from efcp.operations.history.selectors import history
from efcp.operations.history.timeline import Period
from efcp.operations.registry import services
from efcp.operations.registry.forms import ProxyForm
from efcp.operations.registry.services import ProxyValues
from efcp.proxies.models import KnownDestination, Proxy, StateChange
from efcp.proxies.selectors import WatchedProxy, watched_proxies
from efcp.sip.uri import uri_key

router = Router()


class ProxyOut(Schema):
    """A proxy, and its last contact."""

    id: int = Field(description="The proxy's id.")
    etag: str = Field(description="Its version, for If-Match.")
    name: str | None = Field(None, description="As people call it.")
    mi_url: str | None = Field(None, description="The address of its MI.")
    mi_username: str | None = Field(None, description="The user name that MI asks for.")
    has_mi_password: bool | None = Field(None, description="Whether a password is stored; it is never shown.")
    mi_authority: str | None = Field(None, description="PEM of MI's own certificate authority.")
    partition: str | None = Field(None, description="The dispatcher's partition.")
    cluster: str | None = Field(None, description="The replication group that it is a member of.")
    probing: str | None = Field(None, description="Which active destinations it probes, if that is known.")
    enabled: bool | None = Field(None, description="Whether it is watched.")
    is_sandbox: bool | None = Field(None, description="Whether it is the panel's own sandbox.")
    freshness: str | None = Field(None, description="live, silent, never stored, unwatched, disabled, mixed.")
    contact: str | None = Field(None, description="What it does, in words.")
    answered_at: str | None = Field(None, description="Its last good answer.")
    version: str | None = Field(None, description="OpenSIPS's version, as it said.")
    destination_count: int | None = Field(None, description="How many destinations it holds.")


class ProxyBody(StrictBody):
    """What an administrator enters about a proxy."""

    name: str = Field("", max_length=64, description="As people call it.")
    mi_url: str = Field(
        "", max_length=255, description="The address of its MI, such as http://10.0.0.2:8888/mi."
    )
    mi_username: str = Field("", max_length=64, description="The user name that MI asks for.")
    mi_password: str | None = Field(
        None, max_length=128, description="MI's password; null keeps the stored one, empty removes it."
    )
    mi_authority: str = Field("", max_length=20_000, description="PEM of MI's own certificate authority.")
    partition: str = Field("default", max_length=64, description="The dispatcher's partition.")
    cluster: str = Field("", max_length=64, description="The replication group that it is a member of.")
    probing: Literal["", "none", "marked", "all"] = Field("", description="Which active ones it probes.")
    enabled: bool = Field(True, description="Whether it is watched.")


def proxy_as_json(watched: WatchedProxy) -> dict[str, Any]:
    """A proxy without its password."""
    proxy, contact = watched.proxy, watched.contact
    return {
        "id": proxy.pk,
        "etag": version_of(proxy),
        **asdict(ProxyValues.of(proxy)),
        "has_mi_password": proxy.has_mi_password,
        "is_sandbox": proxy.is_sandbox,
        "freshness": watched.freshness.value,
        "contact": watched.words,
        "answered_at": moment(watched.answered_at),
        "version": contact.version,
        "destination_count": contact.destination_count,
    }


def _find(proxy_id: int) -> WatchedProxy:
    found = next((each for each in watched_proxies(enabled_only=False) if each.proxy.pk == proxy_id), None)
    if found is None:
        raise not_found(f"There is no proxy {proxy_id}.")
    return found


@router.get(
    "/proxies",
    summary="List proxies",
    description="All of them by name, with their last contact.",
    operation_id="list_proxies",
    url_name="proxies",
    tags=["proxies"],
    **declared(VIEW, answer=page_of(ProxyOut)),
)
def list_proxies(request: HttpRequest, query: Query[FieldsQuery]) -> HttpResponse:
    """All proxies."""
    return answered_items(map(proxy_as_json, watched_proxies(enabled_only=False)), query.fields)


@router.get(
    "/proxies/{int:row_id}",
    summary="Get a proxy",
    description="With its version as ETag.",
    operation_id="get_proxy",
    url_name="proxy",
    tags=["proxies"],
    **declared(VIEW, answer=ProxyOut),
)
def get_proxy(request: HttpRequest, row_id: int, query: Query[FieldsQuery]) -> HttpResponse:
    """One proxy."""
    return answered_resource(request, proxy_as_json(_find(row_id)), query.fields)


@router.post(
    "/proxies",
    summary="Add a proxy",
    description="The watcher asks it within seconds.",
    operation_id="add_proxy",
    url_name="proxies",
    tags=["proxies"],
    **declared(
        ADMINISTER,
        answer=written(ProxyOut),
        status=201,
        writes=True,
        example={"name": "edge-1", "mi_url": "http://10.0.0.2:8888/mi"},
    ),
)
def add_proxy(request: HttpRequest, body: ProxyBody, how: Query[WriteQuery]) -> HttpResponse:
    """Add a proxy."""

    def prepare() -> Work:
        form = _valid_form(body.model_dump(), None)

        def work() -> HttpResponse:
            with _name_is_free():
                proxy = services.add_proxy(caller_of(request).actor, form.values(), form.password() or "")
            location = reverse("api:proxy", args=[proxy.pk])
            return answered_write(proxy_as_json(_find(proxy.pk)), how, 201, location=location)

        return work

    return carry_out(request, how, prepare)


@router.patch(
    "/proxies/{int:row_id}",
    summary="Change a proxy",
    description="Only the fields that are sent are written. Another address needs the password again.",
    operation_id="change_proxy",
    url_name="proxy",
    tags=["proxies"],
    **declared(ADMINISTER, answer=written(ProxyOut), writes=True, versioned=True, example={"enabled": False}),
)
def change_proxy(request: HttpRequest, row_id: int, body: ProxyBody, how: Query[WriteQuery]) -> HttpResponse:
    """Change a proxy."""

    def prepare() -> Work:
        watched = _find(row_id)
        current, given = proxy_as_json(watched), body.model_dump(exclude_unset=True)
        shown = {name: value for name, value in given.items() if name != "mi_password"}
        require_version(request, current, current | shown)
        token = token_of(watched.proxy)
        form = _valid_form(asdict(ProxyValues.of(watched.proxy)) | given, watched.proxy)

        def work() -> HttpResponse:
            with (
                _name_is_free(),
                gone_as_404(services.ProxyGoneError, "proxy"),
                conflicts_as_412(lambda: proxy_as_json(_find(row_id)), current | shown),
            ):
                services.change_proxy(caller_of(request).actor, row_id, form.values(), form.password(), token)
            return answered_write(proxy_as_json(_find(row_id)), how)

        return work

    return carry_out(request, how, prepare)


@router.delete(
    "/proxies/{int:row_id}",
    summary="Delete a proxy",
    description="With all that is known of it, its history too.",
    operation_id="delete_proxy",
    url_name="proxy",
    tags=["proxies"],
    **declared(ADMINISTER, answer=written(ProxyOut), writes=True, versioned=True),
)
def delete_proxy(request: HttpRequest, row_id: int, how: Query[WriteQuery]) -> HttpResponse:
    """Delete a proxy."""

    def prepare() -> Work:
        watched = _find(row_id)
        require_version(request, proxy_as_json(watched), None)
        token = token_of(watched.proxy)

        def work() -> HttpResponse:
            with (
                gone_as_404(services.ProxyGoneError, "proxy"),
                conflicts_as_412(lambda: proxy_as_json(_find(row_id))),
            ):
                services.delete_proxy(caller_of(request).actor, row_id, token)
            return answered_write(None, how)

        return work

    return carry_out(request, how, prepare)


@contextmanager
def _name_is_free() -> Iterator[None]:
    try:
        yield
    except services.NameTakenError:
        raise refused("name", "taken", "Another proxy has this name.") from None


def _valid_form(values: Mapping[str, Any], proxy: Proxy | None) -> ProxyForm:
    """The pages' form; a password of null keeps the stored one, an empty one removes it."""
    password = values.get("mi_password")
    removes = password == "" and proxy is not None and proxy.has_mi_password
    data = {**values, "mi_password": password or "", "remove_password": removes}
    form = ProxyForm(data, proxy=proxy)
    if not form.is_valid():
        raise invalid(form_findings(form))
    return form


# What proxies hold, and held.


class LiveStateOut(Schema):
    """A destination in a proxy's memory, as last read."""

    id: int = Field(description="The row's id, for pages only: another list gives others.")
    proxy: str | None = Field(None, description="The proxy's name.")
    setid: int | None = Field(None, description="The set.")
    uri: str | None = Field(None, description="The destination.")
    state: str | None = Field(None, description="active, inactive or probing.")
    since: str | None = Field(None, description="Since when it is known to be in it.")
    fresh: bool | None = Field(None, description="Whether the proxy still answers; else it is last known.")
    answered_at: str | None = Field(None, description="When the proxy last answered.")
    socket: str | None = Field(None, description="The socket that it uses.")
    attrs: str | None = Field(None, description="Its attributes.")
    weight: int | None = Field(None, description="Its weight; null where the list is without details.")
    priority: int | None = Field(None, description="Its priority; null where the list is without details.")


class StatePageQuery(PageQuery):
    """Which states are requested."""

    setid: int | None = Field(None, ge=0, le=MAX_INT, description="Only this set.")
    proxy: int | None = Field(None, ge=1, le=MAX_INT, description="Only this proxy, by id.")
    state: Literal["active", "probing", "inactive"] | None = Field(None, description="Only this state.")


@router.get(
    "/states",
    summary="List states",
    description="What enabled proxies hold in memory, as the watcher last read it.",
    operation_id="list_states",
    url_name="states",
    tags=["states"],
    **declared(VIEW, "dispatcher", by_set=True, answer=page_of(LiveStateOut)),
)
def list_states(request: HttpRequest, query: Query[StatePageQuery]) -> HttpResponse:
    """The live states."""
    watched = {each.proxy.pk: each for each in watched_proxies()}
    rows = KnownDestination.objects.filter(
        proxy__in=[pk for pk in watched if query.proxy in (None, pk)],
        partition__in={each.proxy.partition for each in watched.values()},
    )
    rows = _of_sets(request, rows, query.setid)
    if query.state is not None:
        rows = rows.filter(state=query.state)

    def as_json(known: KnownDestination) -> dict[str, Any]:
        on = watched[known.proxy_id]
        return {
            "id": known.pk,
            "proxy": on.proxy.name,
            "setid": known.setid,
            "uri": known.uri,
            "state": known.state,
            "since": moment(known.since),
            "fresh": on.fresh,
            "answered_at": moment(on.answered_at),
            "socket": known.socket,
            "attrs": known.attrs,
            "weight": known.weight,
            "priority": known.priority,
        }

    return answered_page(rows, query, as_json)


def _of_sets(request: HttpRequest, rows: Any, setid: int | None) -> Any:
    """The rows of a set, and of those that the token is good for."""
    sets = caller_of(request).sets
    if setid is not None:
        rows = rows.filter(setid=setid)
    return rows.filter(setid__in=sets) if sets else rows


class StateChangeOut(Schema):
    """A change in a proxy's memory."""

    id: int = Field(description="The change's id.")
    at: str | None = Field(None, description="When it was, or was first stored.")
    proxy: str | None = Field(None, description="The proxy's name.")
    setid: int | None = Field(None, description="The set.")
    uri: str | None = Field(None, description="The destination.")
    before: str | None = Field(None, description="Its state before; empty where it appeared.")
    after: str | None = Field(None, description="Its state after; empty where it vanished.")
    cause: str | None = Field(None, description="What the proxy puts it down to, if that is known.")


class ChangePageQuery(PageQuery):
    """Which changes are requested."""

    setid: int | None = Field(None, ge=0, le=MAX_INT, description="Only this set.")
    proxy: int | None = Field(None, ge=1, le=MAX_INT, description="Only this proxy, by id.")
    uri: str = Field("", max_length=255, description="Only this destination; case makes no difference.")


@router.get(
    "/state-changes",
    summary="List state changes",
    description="The history of states, the newest first.",
    operation_id="list_state_changes",
    url_name="state-changes",
    tags=["states"],
    **declared(VIEW, "dispatcher", by_set=True, answer=page_of(StateChangeOut)),
)
def list_state_changes(request: HttpRequest, query: Query[ChangePageQuery]) -> HttpResponse:
    """The changes."""
    rows = _of_sets(request, StateChange.objects.select_related("proxy"), query.setid)
    if query.proxy is not None:
        rows = rows.filter(proxy=query.proxy)
    if query.uri:
        rows = rows.filter(uri_key=uri_key(query.uri))
    return answered_page(rows, query, change_as_json, newest_first=True)


def change_as_json(change: StateChange) -> dict[str, Any]:
    """A change of state."""
    return {
        "id": change.pk,
        "at": moment(change.at),
        "proxy": change.proxy.name,
        "setid": change.setid,
        "uri": change.uri,
        "before": change.state_before,
        "after": change.state_after,
        "cause": change.cause,
    }


class AvailabilityOut(Schema):
    """How long a destination was available on one proxy."""

    proxy: str = Field(description="The proxy's name.")
    state: str | None = Field(description="Its state now, as last read; null where the proxy lacks it.")
    available_percent: float | None = Field(description="Of the time known; null where nothing is.")
    segments: list[dict[str, Any]] = Field(description="States in order: state, begin, end; empty: unknown.")


class AvailabilityList(Schema):
    """Availability by proxy."""

    items: list[AvailabilityOut] = Field(description="By proxy.")
    next: None = Field(description="There is one page only.")


class PeriodQuery(Schema):
    """How far back is looked."""

    period: Literal["day", "week", "month"] = Field("day", description="How far back is looked.")


@router.get(
    "/destinations/{int:row_id}/availability",
    summary="Get a destination's availability",
    description="The states of a destination over a period on each proxy.",
    operation_id="get_availability",
    url_name="availability",
    tags=["states"],
    **declared(VIEW, "dispatcher", by_set=True, answer=AvailabilityList),
)
def get_availability(request: HttpRequest, row_id: int, query: Query[PeriodQuery]) -> HttpResponse:
    """The availability of one destination."""
    row = destinations.find(min(row_id, MAX_INT))
    if row is None:
        raise not_found(f"There is no destination {row_id}.")
    caller_of(request).require_set(row.setid)
    found = history(row, Period[query.period.upper()], watched_proxies())
    items = [
        {
            "proxy": each.watched.proxy.name,
            "state": each.known.state if each.known else None,
            "available_percent": each.timeline.availability,
            "segments": [
                {"state": one.state, "begin": moment(one.begin), "end": moment(one.end)}
                for one in each.timeline.segments
            ],
        }
        for each in found.on_proxies
    ]
    return answered({"items": items, "next": None})
