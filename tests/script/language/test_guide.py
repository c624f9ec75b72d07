"""The guide's text, its blocks put together to a file, is read to the last word."""

from pathlib import Path

import pytest

from efcp.script.findings import Location
from efcp.script.language.reading import parse
from efcp.script.language.syntax import (
    Argument,
    ArgumentKind,
    Call,
    If,
    LoadModule,
    ModuleParameter,
    Not,
    RouteKind,
    Script,
    calls,
)

FILE = "guide.cfg"


@pytest.fixture(scope="module")
def guide() -> Script:
    return parse((Path(__file__).parent / FILE).read_text(), FILE)


def test_nothing_is_skipped_or_found(guide: Script) -> None:
    assert (guide.skipped, guide.findings) == (0, ())


def test_the_modules_stand_in_their_order(guide: Script) -> None:
    assert list(guide.modules) == [
        LoadModule(Location(FILE, 2), "db_mysql"),
        LoadModule(Location(FILE, 5), "dispatcher"),
    ]


def test_the_parameters_keep_texts_and_numbers_apart(guide: Script) -> None:
    assert [(each.name, each.value) for each in guide.parameters] == [
        ("db_url", "mysql://opensips:opensipsrw@localhost/opensips"),
        ("ds_ping_interval", 10),
        ("ds_ping_from", "sip:ds@sip.domain.com"),
        ("ds_probing_threshhold", 1),
    ]
    assert next(guide.parameters) == ModuleParameter(
        Location(FILE, 6),
        "dispatcher",
        ("dispatcher",),
        "db_url",
        "mysql://opensips:opensipsrw@localhost/opensips",
    )


def test_the_route_selects_a_destination_within_a_negated_condition(guide: Script) -> None:
    route = next(guide.routes)
    assert (route.kind, route.name) == (RouteKind.REQUEST, "to_media_vbb")
    condition = route.body[1]
    assert isinstance(condition, If)
    assert isinstance(condition.condition, Not)
    selection = condition.condition.operand
    assert isinstance(selection, Call)
    assert selection.name == "ds_select_dst"
    assert selection.arguments == (
        Argument(ArgumentKind.NUMBER, "1"),
        Argument(ArgumentKind.NUMBER, "2"),
        Argument(ArgumentKind.STRING, "f"),
    )


def test_the_failure_route_calls_what_the_guide_calls(guide: Script) -> None:
    route = list(guide.routes)[1]
    assert (route.kind, route.name) == (RouteKind.FAILURE, "media_failover")
    assert [call.name for call in calls(route.body)] == [
        "t_was_cancelled",
        "t_check_status",
        "t_local_replied",
        "t_check_status",
        "xlog",
        "ds_mark_dst",
        "ds_next_dst",
        "xlog",
        "t_reply",
        "xlog",
        "t_on_failure",
        "t_relay",
    ]
