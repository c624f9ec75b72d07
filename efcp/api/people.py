"""Users, notification rules and maintenance."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from dispatcher import selectors as destinations
from efcp.accounts import services as users
from efcp.accounts.forms import NewUserForm
from efcp.accounts.models import User
from efcp.accounts.roles import ADMINISTER, OPERATE, VIEW, Role
from efcp.accounts.selectors import find_user
from efcp.api.authentication import caller_of
from efcp.api.exchange import (
    FieldsQuery,
    PageQuery,
    answered_page,
    answered_resource,
    moment,
    require_version,
    version_of,
)
from efcp.api.operations import StrictBody, declared, page_of, written
from efcp.api.problems import ProblemError, form_findings, invalid, not_found, refused
from efcp.api.writes import (
    Work,
    WriteQuery,
    answered_write,
    carry_out,
    carry_out_deletion,
    conflicts_as_412,
    gone_as_404,
)
from efcp.audit.edit_tokens import token_of
from efcp.editing.table import MAX_INT
from efcp.operations.alerts import services as alerts
from efcp.operations.alerts.forms import AlertRuleForm
from efcp.operations.alerts.models import Condition, NotificationRule
from efcp.operations.maintenance import services as maintenance
from efcp.operations.maintenance.forms import MAX_MINUTES, MaintenanceForm
from efcp.operations.maintenance.models import Maintenance
from efcp.operations.states.selectors import emptied_sets
from efcp.proxies.selectors import proxies_for_all, watched_proxies

router = Router()


# Users.


class UserOut(Schema):
    """A user of the panel."""

    id: int = Field(description="The user's id.")
    etag: str = Field(description="Its version, for If-Match.")
    username: str | None = Field(None, description="The name to sign in with.")
    role: str | None = Field(None, description="viewer, operator or administrator.")
    is_active: bool | None = Field(None, description="Whether they may sign in.")
    must_change_password: bool | None = Field(None, description="Whether they must choose another password.")
    last_login: str | None = Field(None, description="When they last signed in.")


class UserBody(StrictBody):
    """A new user."""

    username: str = Field(max_length=64, description="The name to sign in with.")
    role: Literal["viewer", "operator", "administrator"] = Field(description="What they may do.")
    password: str = Field(max_length=4096, description="The first password, changed at the first sign-in.")


class UserChangesBody(StrictBody):
    """What an administrator changes of a user."""

    role: Literal["viewer", "operator", "administrator"] = Field("viewer", description="What they may do.")
    is_active: bool = Field(True, description="Whether they may sign in.")


def user_as_json(user: User) -> dict[str, Any]:
    """A user, without password."""
    return {
        "id": user.pk,
        "etag": version_of(user),
        "username": user.username,
        "role": user.role,
        "is_active": user.is_active,
        "must_change_password": user.must_change_password,
        "last_login": moment(user.last_login),
    }


def _user(row_id: int) -> User:
    user = find_user(row_id)
    if user is None:
        raise not_found(f"There is no user {row_id}.")
    return user


@router.get(
    "/users",
    summary="List users",
    description="In the order of their ids.",
    operation_id="list_users",
    url_name="users",
    tags=["users"],
    **declared(ADMINISTER, answer=page_of(UserOut)),
)
def list_users(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The users."""
    return answered_page(User.objects.all(), query, user_as_json)


@router.get(
    "/users/{int:row_id}",
    summary="Get a user",
    description="With its version as ETag.",
    operation_id="get_user",
    url_name="user",
    tags=["users"],
    **declared(ADMINISTER, answer=UserOut),
)
def get_user(request: HttpRequest, row_id: int, query: Query[FieldsQuery]) -> HttpResponse:
    """One user."""
    return answered_resource(request, user_as_json(_user(row_id)), query.fields)


@router.post(
    "/users",
    summary="Add a user",
    description="They must choose another password at the first sign-in.",
    operation_id="add_user",
    url_name="users",
    tags=["users"],
    **declared(
        ADMINISTER,
        answer=written(UserOut),
        status=201,
        writes=True,
        example={"username": "carol", "role": "operator", "password": "three green kettles"},
    ),
)
def add_user(request: HttpRequest, body: UserBody, how: Query[WriteQuery]) -> HttpResponse:
    """Add a user."""

    def prepare() -> Work:
        data = {"username": body.username, "role": body.role}
        data |= {"new_password": body.password, "repeated_password": body.password}
        form = NewUserForm(data, user=User())
        if not form.is_valid():
            found = form_findings(form)
            raise invalid([each | {"field": each["field"].replace("new_", "")} for each in found])
        values = form.cleaned_data

        def work() -> HttpResponse:
            try:
                user = users.add_user(
                    values["username"], Role(values["role"]), values["new_password"], caller_of(request).actor
                )
            except users.UserNameTakenError:
                raise refused("username", "taken", "Another user has this name.") from None
            location = reverse("api:user", args=[user.pk])
            return answered_write(user_as_json(user), how, 201, location=location)

        return work

    return carry_out(request, how, prepare)


@router.patch(
    "/users/{int:row_id}",
    summary="Change a user",
    description="Their role, and whether they may sign in. One administrator is always left.",
    operation_id="change_user",
    url_name="user",
    tags=["users"],
    **declared(ADMINISTER, answer=written(UserOut), writes=True, versioned=True, example={"role": "viewer"}),
)
def change_user(
    request: HttpRequest, row_id: int, body: UserChangesBody, how: Query[WriteQuery]
) -> HttpResponse:
    """Change a user."""

    def prepare() -> Work:
        user = _user(row_id)
        current, given = user_as_json(user), body.model_dump(exclude_unset=True)
        requested = current | given
        require_version(request, current, requested)
        token = token_of(user)

        def work() -> HttpResponse:
            role, is_active, actor = Role(requested["role"]), requested["is_active"], caller_of(request).actor
            with _refusals(), conflicts_as_412(lambda: user_as_json(_user(row_id)), requested):
                after = users.change_user(row_id, role, is_active, actor, token)
            return answered_write(user_as_json(after), how)

        return work

    return carry_out(request, how, prepare)


@router.delete(
    "/users/{int:row_id}",
    summary="Delete a user",
    description="Their tokens go with them; their audit records stay.",
    operation_id="delete_user",
    url_name="user",
    tags=["users"],
    **declared(ADMINISTER, answer=written(UserOut), writes=True, versioned=True),
)
def delete_user(request: HttpRequest, row_id: int, how: Query[WriteQuery]) -> HttpResponse:
    """Delete a user."""

    def delete(_user: User, token: str) -> None:
        with _refusals():
            users.delete_user(row_id, caller_of(request).actor, token)

    return carry_out_deletion(request, how, lambda: _user(row_id), user_as_json, delete)


@contextmanager
def _refusals() -> Iterator[None]:
    """Answer what the service of users refuses."""
    try:
        with gone_as_404(users.UserGoneError, "user"):
            yield
    except users.LastAdministratorError:
        raise ProblemError(409, "last_administrator", "One administrator has to be left.") from None


# Notification rules.


class NotificationRuleOut(Schema):
    """Whom to notify of which destinations that are down."""

    id: int = Field(description="The rule's id.")
    etag: str = Field(description="Its version, for If-Match.")
    name: str | None = Field(None, description="Its name.")
    enabled: bool | None = Field(None, description="Whether it notifies.")
    setids: list[int] | None = Field(None, description="Only these sets; empty for all.")
    proxies: list[int] | None = Field(None, description="Only these proxies, by id; empty for all.")
    states: list[str] | None = Field(None, description="What counts as down.")
    min_active: int | None = Field(None, description="How many active destinations a set needs.")
    after_s: int | None = Field(None, description="After how many seconds.")
    notify_recovery: bool | None = Field(None, description="Whether it notifies of the end, too.")
    channel: str | None = Field(None, description="email or webhook.")
    recipients: str | None = Field(None, description="Addresses of e-mail, separated by commas.")
    url: str | None = Field(None, description="Where the webhook is, without its path.")
    has_secret: bool | None = Field(None, description="Whether a secret is stored; it is never shown.")


class NotificationRuleBody(StrictBody):
    """A notification rule."""

    name: str = Field("", max_length=64, description="Its name.")
    enabled: bool = Field(True, description="Whether it notifies.")
    setids: list[int] = Field([], max_length=1_000, description="Only these sets; empty for all.")
    proxies: list[int] = Field([], max_length=1_000, description="Only these proxies, by id; empty for all.")
    states: list[str] = Field(
        ["probing"],
        max_length=len(Condition),
        description="What counts as down.",
        json_schema_extra={"items": {"type": "string", "enum": [each.value for each in Condition]}},
    )
    min_active: int = Field(1, description="How many active destinations a set needs.")
    after_s: int = Field(60, description="After how many seconds.")
    notify_recovery: bool = Field(True, description="Whether it notifies of the end, too.")
    channel: Literal["email", "webhook"] = Field("email", description="How.")
    recipients: str = Field("", max_length=1_000, description="Addresses of e-mail, separated by commas.")
    url: str = Field("", max_length=255, description="The webhook; empty keeps the stored one.")
    secret: str = Field("", max_length=200, description="Signs what is sent; empty keeps the stored one.")


def alert_as_json(rule: NotificationRule) -> dict[str, Any]:
    """A notification rule without its secrets."""
    names = ("name", "enabled", "setids", "states", "min_active", "after_s", "notify_recovery", "channel")
    return {
        "id": rule.pk,
        "etag": version_of(rule),
        **{name: getattr(rule, name) for name in names},
        "recipients": rule.recipients,
        "proxies": sorted(proxy.pk for proxy in rule.proxies.all()),
        "url": rule.masked_url,
        "has_secret": bool(rule.secret_encrypted),
    }


def _alert(row_id: int) -> NotificationRule:
    rule = NotificationRule.objects.filter(pk=min(row_id, MAX_INT)).first()
    if rule is None:
        raise not_found(f"There is no notification rule {row_id}.")
    return rule


def _alert_form(values: Mapping[str, Any], rule: NotificationRule | None) -> AlertRuleForm:
    data = {**values, "setids": ", ".join(map(str, values["setids"]))}
    form = AlertRuleForm(data, rule=rule)
    if not form.is_valid():
        raise invalid(form_findings(form))
    return form


@router.get(
    "/notification-rules",
    summary="List notification rules",
    description="In the order of their ids.",
    operation_id="list_notification_rules",
    url_name="notification-rules",
    tags=["notification rules"],
    **declared(ADMINISTER, answer=page_of(NotificationRuleOut)),
)
def list_notification_rules(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The rules."""
    return answered_page(NotificationRule.objects.prefetch_related("proxies"), query, alert_as_json)


@router.get(
    "/notification-rules/{int:row_id}",
    summary="Get a notification rule",
    description="With its version as ETag.",
    operation_id="get_notification_rule",
    url_name="notification-rule",
    tags=["notification rules"],
    **declared(ADMINISTER, answer=NotificationRuleOut),
)
def get_notification_rule(request: HttpRequest, row_id: int, query: Query[FieldsQuery]) -> HttpResponse:
    """One rule."""
    return answered_resource(request, alert_as_json(_alert(row_id)), query.fields)


@router.post(
    "/notification-rules",
    summary="Add a notification rule",
    description="It notifies of outages that begin from then on.",
    operation_id="add_notification_rule",
    url_name="notification-rules",
    tags=["notification rules"],
    **declared(
        ADMINISTER,
        answer=written(NotificationRuleOut),
        status=201,
        writes=True,
        example={"name": "Night", "channel": "email", "recipients": "noc@example.org", "after_s": 120},
    ),
)
def add_notification_rule(
    request: HttpRequest, body: NotificationRuleBody, how: Query[WriteQuery]
) -> HttpResponse:
    """Add a rule."""

    def prepare() -> Work:
        values = _alert_form(body.model_dump(), None).values()

        def work() -> HttpResponse:
            rule = alerts.save(None, values, caller_of(request).actor)
            location = reverse("api:notification-rule", args=[rule.pk])
            return answered_write(alert_as_json(rule), how, 201, location=location)

        return work

    return carry_out(request, how, prepare)


@router.patch(
    "/notification-rules/{int:row_id}",
    summary="Change a notification rule",
    description="Only the fields that are sent are written.",
    operation_id="change_notification_rule",
    url_name="notification-rule",
    tags=["notification rules"],
    **declared(
        ADMINISTER,
        answer=written(NotificationRuleOut),
        writes=True,
        versioned=True,
        example={"enabled": False},
    ),
)
def change_notification_rule(
    request: HttpRequest, row_id: int, body: NotificationRuleBody, how: Query[WriteQuery]
) -> HttpResponse:
    """Change a rule."""

    def prepare() -> Work:
        rule = _alert(row_id)
        current, given = alert_as_json(rule), body.model_dump(exclude_unset=True)
        shown = {name: value for name, value in given.items() if name not in {"secret", "url"}}
        require_version(request, current, current | shown)
        values = _alert_form({**current, "url": "", "secret": "", **given}, rule).values()
        token = token_of(rule)

        def work() -> HttpResponse:
            with (
                gone_as_404(alerts.NotificationRuleGoneError, "rule"),
                conflicts_as_412(lambda: alert_as_json(_alert(row_id)), current | shown),
            ):
                after = alerts.save(rule, values, caller_of(request).actor, token)
            return answered_write(alert_as_json(after), how)

        return work

    return carry_out(request, how, prepare)


@router.delete(
    "/notification-rules/{int:row_id}",
    summary="Delete a notification rule",
    description="With the notices that it sent.",
    operation_id="delete_notification_rule",
    url_name="notification-rule",
    tags=["notification rules"],
    **declared(ADMINISTER, answer=written(NotificationRuleOut), writes=True, versioned=True),
)
def delete_notification_rule(request: HttpRequest, row_id: int, how: Query[WriteQuery]) -> HttpResponse:
    """Delete a rule."""

    def delete(rule: NotificationRule, token: str) -> None:
        with gone_as_404(alerts.NotificationRuleGoneError, "rule"):
            alerts.delete(rule, caller_of(request).actor, token)

    return carry_out_deletion(request, how, lambda: _alert(row_id), alert_as_json, delete)


# Maintenance.


class MaintenanceOut(Schema):
    """A destination that is out of service for a planned time."""

    id: int = Field(description="The maintenance's id.")
    etag: str = Field(description="Its version, for If-Match.")
    destination: int | None = Field(None, description="The row's id when it was planned.")
    setid: int | None = Field(None, description="The set.")
    uri: str | None = Field(None, description="The destination.")
    reason: str | None = Field(None, description="Why.")
    actor: str | None = Field(None, description="Who planned it.")
    begins_at: str | None = Field(None, description="When it is taken out.")
    ends_at: str | None = Field(None, description="When it is put back.")
    proxies: list[dict[str, Any]] | None = Field(None, description="How far it is on each proxy.")


class MaintenanceBody(StrictBody):
    """What is taken out, when and for how long."""

    destination: int = Field(ge=1, le=MAX_INT, description="The row's id.")
    minutes: int = Field(60, ge=1, le=MAX_MINUTES, description="For how long.")
    begins_in_minutes: int = Field(0, ge=0, le=90 * 24 * 60, description="When, from now.")
    proxies: list[int] | None = Field(
        None, max_length=1_000, description="Ids of proxies; left out: all that are enabled."
    )
    allow_empty_set: bool = Field(False, description="Although nothing active would be left of the set.")
    reason: str = Field(min_length=1, max_length=255, description="Why: others will wonder.")


class MaintenanceEndBody(StrictBody):
    """When it ends."""

    minutes: int = Field(ge=0, le=MAX_MINUTES, description="Minutes from now; 0 ends it at once.")


def maintenance_as_json(planned: Maintenance) -> dict[str, Any]:
    """A maintenance, and how far it is on each proxy."""
    return {
        "id": planned.pk,
        "etag": version_of(planned),
        "destination": planned.destination_id,
        "setid": planned.setid,
        "uri": planned.uri,
        "reason": planned.reason,
        "actor": planned.actor,
        "begins_at": moment(planned.begins_at),
        "ends_at": moment(planned.ends_at),
        "proxies": [
            {"proxy": each.proxy.name, "step": each.step, "message": each.message}
            for each in planned.on_proxies.all()
        ],
    }


def _maintenance(request: HttpRequest, row_id: int) -> Maintenance:
    found = Maintenance.objects.prefetch_related("on_proxies__proxy").filter(pk=min(row_id, MAX_INT)).first()
    if found is None:
        raise not_found(f"There is no maintenance {row_id}.")
    caller_of(request).require_set(found.setid)
    return found


@router.get(
    "/maintenance",
    summary="List maintenance",
    description="The newest first.",
    operation_id="list_maintenance",
    url_name="maintenances",
    tags=["maintenance"],
    **declared(VIEW, "dispatcher", by_set=True, answer=page_of(MaintenanceOut)),
)
def list_maintenance(request: HttpRequest, query: Query[PageQuery]) -> HttpResponse:
    """The maintenances."""
    rows = Maintenance.objects.prefetch_related("on_proxies__proxy")
    sets = caller_of(request).sets
    rows = rows.filter(setid__in=sets) if sets else rows
    return answered_page(rows, query, maintenance_as_json, newest_first=True)


@router.get(
    "/maintenance/{int:row_id}",
    summary="Get a maintenance",
    description="With its version as ETag.",
    operation_id="get_maintenance",
    url_name="maintenance",
    tags=["maintenance"],
    **declared(VIEW, "dispatcher", by_set=True, answer=MaintenanceOut),
)
def get_maintenance(request: HttpRequest, row_id: int) -> HttpResponse:
    """One maintenance."""
    return answered_resource(request, maintenance_as_json(_maintenance(request, row_id)))


@router.post(
    "/maintenance",
    summary="Plan a maintenance",
    description="The watcher takes the destination out, and puts it back at the end.",
    operation_id="plan_maintenance",
    url_name="maintenances",
    tags=["maintenance"],
    **declared(
        OPERATE,
        "dispatcher",
        by_set=True,
        answer=written(MaintenanceOut),
        status=201,
        writes=True,
        example={"destination": 1, "minutes": 30, "reason": "New firmware"},
    ),
)
def plan_maintenance(request: HttpRequest, body: MaintenanceBody, how: Query[WriteQuery]) -> HttpResponse:
    """Plan a maintenance."""

    def prepare() -> Work:
        row = destinations.find(body.destination)
        if row is None:
            raise refused("destination", "not_found", f"There is no destination {body.destination}.")
        caller_of(request).require_set(row.setid)
        watched = watched_proxies()
        chosen = (
            body.proxies if body.proxies is not None else list(proxies_for_all().values_list("pk", flat=True))
        )
        data = {"reason": body.reason, "minutes": body.minutes, "proxy": [str(each) for each in chosen]}
        form = MaintenanceForm(data, watched, row.setid)
        if not form.is_valid():
            found = form_findings(form)
            raise invalid([each | {"field": each["field"].replace("proxy", "proxies")} for each in found])
        emptied = emptied_sets([row], form.proxies(), watched)
        if emptied and not body.allow_empty_set:
            text = f"Nothing active would be left of set {row.setid} on {emptied[0].where}."
            raise refused("allow_empty_set", "set_emptied", text)
        begins_at = timezone.now() + timedelta(minutes=body.begins_in_minutes)

        def work() -> HttpResponse:
            planned = maintenance.plan(
                row,
                form.proxies(),
                begins_at,
                begins_at + timedelta(minutes=body.minutes),
                caller_of(request).actor,
                body.reason,
                allow_empty_set=body.allow_empty_set,
            )
            location = reverse("api:maintenance", args=[planned.pk])
            data = maintenance_as_json(_maintenance(request, planned.pk))
            return answered_write(data, how, 201, location=location)

        return work

    return carry_out(request, how, prepare)


@router.patch(
    "/maintenance/{int:row_id}",
    summary="Move the end of a maintenance",
    description="Later, earlier, or at once: then what is out is put back.",
    operation_id="change_maintenance",
    url_name="maintenance",
    tags=["maintenance"],
    **declared(
        OPERATE,
        "dispatcher",
        by_set=True,
        answer=written(MaintenanceOut),
        writes=True,
        versioned=True,
        example={"minutes": 0},
    ),
)
def change_maintenance(
    request: HttpRequest, row_id: int, body: MaintenanceEndBody, how: Query[WriteQuery]
) -> HttpResponse:
    """Move the end."""

    def prepare() -> Work:
        planned = _maintenance(request, row_id)
        current = maintenance_as_json(planned)
        ends_at = max(timezone.now(), planned.begins_at) + timedelta(minutes=body.minutes)
        requested = current | {"ends_at": moment(ends_at)}
        require_version(request, current, requested)
        token = token_of(planned)

        def work() -> HttpResponse:
            actor = caller_of(request).actor

            def shown() -> dict[str, Any]:
                return maintenance_as_json(_maintenance(request, row_id))

            with conflicts_as_412(shown, requested):
                if body.minutes:
                    maintenance.extend(planned, ends_at, actor, token)
                else:
                    maintenance.end_now(planned, actor, token)
            return answered_write(shown(), how)

        return work

    return carry_out(request, how, prepare)
