"""The page on which an outage is played."""

import pytest
from django.test import Client
from django.urls import reverse

from efcp.accounts.roles import Role
from efcp.preview.outages import OutageTimeline
from tests.conftest import ClientAs


def simulated(client: Client, **question: str) -> OutageTimeline:
    """What the page tells."""
    page = client.get(reverse("preview:outage"), question)
    assert page.context["form"].is_valid(), page.context["form"].errors
    found: OutageTimeline = page.context["timeline"]
    return found


def test_a_death_at_second_3_is_known_at_second_40_of_the_defaults(viewer: Client) -> None:
    found = simulated(viewer, dies_at="3")
    assert found.course.stopped_at == 40
    assert found.worst.lost_s == pytest.approx(40, abs=0.01)
    assert [each.look for each in found.proxy.spans] == ["active", "probing", "active"]


def test_the_lines_have_no_hole(viewer: Client) -> None:
    found = simulated(viewer)
    for line in (found.gateway, found.proxy):
        assert sum(each.width for each in line.spans) == pytest.approx(100)


def test_what_is_not_probed_is_never_detected(viewer: Client) -> None:
    page = viewer.get(reverse("preview:outage"), {"probed": "probing"})
    assert "Not detected by probing" in page.text
    assert "ds_mark_dst" in page.text


def test_a_blip_goes_undetected(viewer: Client) -> None:
    page = viewer.get(reverse("preview:outage"), {"dies_at": "3", "returns_at": "5"})
    assert "ends before probing detects it" in page.text


def test_a_gateway_that_never_returns_is_never_back(viewer: Client) -> None:
    found = simulated(viewer, returns_at="")
    assert found.course.back_at is None
    assert found.proxy.spans[-1].look == "probing"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interval", "0"),
        ("threshold", "x"),
        ("timeout", "0"),
        ("dies_at", "-1"),
        ("returns_at", "2"),
        ("code", "200"),
        ("reply_codes", "5o3"),
        ("probed", "sometimes"),
    ],
)
def test_a_wrong_field_is_reported_there(viewer: Client, field: str, value: str) -> None:
    page = viewer.get(reverse("preview:outage"), {field: value})
    assert list(page.context["form"].errors) == [field]
    assert page.context["timeline"] is None


def test_more_rounds_than_can_be_played_are_refused(viewer: Client) -> None:
    page = viewer.get(reverse("preview:outage"), {"interval": "1", "dies_at": "3000", "returns_at": ""})
    assert "rounds of probing" in page.text


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_everybody_who_is_signed_in_may_play(client_as: ClientAs, role: Role | None, db: None) -> None:
    assert client_as(role).get(reverse("preview:outage")).status_code == (200 if role else 302)
