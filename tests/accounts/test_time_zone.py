"""All pages show times on one clock, the user's: reported by the browser, or chosen."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from dispatcher import services as destinations
from dispatcher.routing.rows import DestinationRow
from efcp.accounts import time_zones
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor
from efcp.clock import moment_text
from efcp.operations.maintenance.models import Maintenance
from tests.accounts.conftest import PASSWORD, Try
from tests.conftest import ClientAs
from tests.factories import ProxyFactory

ZONE = "/cp/accounts/time-zone/"
BROWSER = "/cp/accounts/time-zone/browser/"
PLAIN = "%Y-%m-%d %H:%M"


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "2026-07-01 12:00:00 UTC"),
        ("Europe/Berlin", "2026-07-01 14:00:00 CEST"),
        ("America/New_York", "2026-07-01 08:00:00 EDT"),
        ("America/Sao_Paulo", "2026-07-01 09:00:00 UTC-03"),
    ],
)
def test_a_time_is_shown_with_its_zone(zone: str, text: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        assert moment_text(datetime(2026, 7, 1, 12, tzinfo=UTC)) == text


def test_without_a_known_zone_times_are_in_utc(client_as: ClientAs) -> None:
    client = client_as(Role.VIEWER)
    assert "Time zone: UTC" in client.get(ZONE).content.decode()
    User.objects.update(time_zone="Mars/Olympus")
    assert "Time zone: UTC" in client.get(ZONE).content.decode()


def test_the_browser_sends_its_zone_with_the_sign_in(make_user: Callable[..., User]) -> None:
    make_user(Role.VIEWER)
    client = Client()
    client.post(
        "/cp/accounts/sign-in/",
        {"username": "viewer", "password": PASSWORD, "time_zone": "Asia/Tokyo"},
    )
    assert "Time zone: Asia/Tokyo (JST)" in client.get(ZONE).content.decode()


def test_the_browser_may_move_to_another_zone(client_as: ClientAs) -> None:
    client = client_as(Role.VIEWER)
    for sent, kept in (
        ("Asia/Tokyo", "Asia/Tokyo"),
        ("", "Asia/Tokyo"),
        ("../etc/passwd", "Asia/Tokyo"),
        ("UTC", "UTC"),
    ):
        assert client.post(BROWSER, {"time_zone": sent}).status_code == 204
        assert User.objects.get().time_zone == kept
    assert client.get(BROWSER).status_code == 405


def test_a_chosen_zone_stays_and_is_recorded(client_as: ClientAs) -> None:
    client = client_as(Role.VIEWER)
    client.post(ZONE, {"time_zone": "America/New_York"})
    client.post(BROWSER, {"time_zone": "Asia/Tokyo"})
    user = User.objects.get()
    assert (user.time_zone, user.time_zone_is_chosen) == ("America/New_York", True)
    assert "data-time-zone=" not in client.get(ZONE).content.decode()
    assert [record.action for record in AuditRecord.objects.all()] == ["time zone"]
    client.post(ZONE, {"time_zone": ""})
    client.post(BROWSER, {"time_zone": "Asia/Tokyo"})
    assert User.objects.get().time_zone == "Asia/Tokyo"


def test_a_zone_that_is_none_can_not_be_chosen(client_as: ClientAs) -> None:
    client = client_as(Role.VIEWER)
    assert "Select a valid choice" in client.post(ZONE, {"time_zone": "Mars/Olympus"}).content.decode()
    assert User.objects.get().time_zone == ""


def test_anonymous_users_send_no_zone(try_sign_in: Try) -> None:
    assert Client().post(BROWSER, {"time_zone": "Asia/Tokyo"}).status_code == 302


@pytest.mark.parametrize("zone", ["America/Phoenix", "Asia/Kolkata", "UTC"])
def test_a_maintenance_is_typed_and_shown_on_one_clock(client_as: ClientAs, zone: str) -> None:
    client = client_as(Role.OPERATOR)
    time_zones.follow_browser(User.objects.get(), zone)
    proxy = ProxyFactory.create(name="edge-1", mi_url="http://127.0.0.1:1/mi")
    row_id = destinations.add(DestinationRow(setid=1, destination="sip:10.0.0.1:5060"), Actor("somebody"))
    begins_at = (timezone.now() + timedelta(hours=2)).replace(second=0, microsecond=0)
    here = begins_at.astimezone(ZoneInfo(zone))
    form = f"/cp/system/dispatcher/{row_id}/maintenance/"
    client.post(
        form,
        {
            "reason": "x",
            "minutes": "60",
            "proxy": str(proxy.pk),
            "begins_at": f"{here:%Y-%m-%dT%H:%M}",
            "anyway": "y",
            "typed_set": "1",
        },
    )
    assert [each.begins_at for each in Maintenance.objects.all()] == [begins_at]
    ends = f">{here + timedelta(hours=1):{PLAIN}} {here:%Z}</time>"
    pages = (form, "/cp/system/dispatcher/maintenance/", f"/cp/system/dispatcher/{row_id}/")
    assert [page for page in pages if ends not in client.get(page).content.decode()] == []
    assert f"Start ({zone}" in client.get(form).content.decode()
    record = AuditRecord.objects.get(action="maintenance")
    assert f"{here:%Y-%m-%d %H:%M:%S %Z}" in client.get(f"/cp/audit/{record.pk}/").content.decode()


def test_a_time_that_the_clock_skips_or_has_twice_is_refused(
    client_as: ClientAs,
) -> None:
    client = client_as(Role.OPERATOR)
    time_zones.follow_browser(User.objects.get(), "Europe/Berlin")
    proxy = ProxyFactory.create(name="edge-1", mi_url="http://127.0.0.1:1/mi")
    row_id = destinations.add(DestinationRow(setid=1, destination="sip:10.0.0.1:5060"), Actor("somebody"))
    for begins_at in ("2027-03-28T02:30", "2027-10-31T02:30"):
        answer = client.post(
            f"/cp/system/dispatcher/{row_id}/maintenance/",
            {"reason": "x", "minutes": "60", "proxy": str(proxy.pk), "begins_at": begins_at},
        )
        assert "ambiguous" in answer.content.decode()
