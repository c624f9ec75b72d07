"""What is refused, with the places that it is about."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.script.writing.answers import Answers, Dialplan, GroupAnswers, MarkAction
from efcp.script.writing.script import write

USUAL = Answers()
SECOND = GroupAnswers("to_trunks", 2, failure_route="trunk_failover", prefix="1")
NOT_A_TEXT = ('say "no"', "it's", "two\nlines", "back\\slash", "bell\x07", "", " ")


def places(answers: Answers) -> list[tuple[str, ...]]:
    """Where the refusals are; nothing may be written beside them."""
    written = write(answers)
    assert bool(written.lines) != bool(written.refusals)
    assert all(refusal.text.endswith(".") for refusal in written.refusals)
    return [refusal.places for refusal in written.refusals]


def first(**values: Any) -> Answers:
    """The answers with another first group."""
    return replace(USUAL, groups=(GroupAnswers(**values),))


def test_the_guides_own_answers_are_not_refused() -> None:
    assert places(USUAL) == []


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"version": "3.3"}, "version"),
        ({"version": "3.4\n"}, "version"),
        ({"probing_interval": -1}, "probing_interval"),
        ({"probing_interval": 86_401}, "probing_interval"),
        ({"threshold": 0}, "threshold"),
        ({"probing_mode": 2}, "probing_mode"),
        ({"probing_from": "ds@sip.domain.com"}, "probing_from"),
        ({"probing_from": 'sip:ds@x")\nroute {'}, "probing_from"),
        ({"reply_codes": (404, 199)}, "reply_codes"),
        ({"reply_codes": (700,)}, "reply_codes"),
        ({"groups": ()}, "groups"),
        ({"database_url": "opensips"}, "database_url"),
        ({"database_url": "oracle://a:b@c/d"}, "database_url"),
        ({"database_url": 'mysql://a:b"@c/d'}, "database_url"),
        ({"database_url": "mysql://a:b\n@c/d"}, "database_url"),
        ({"module_path": "modules"}, "module_path"),
        ({"module_path": '/a"b'}, "module_path"),
        ({"minimal": True, "socket": "127.0.0.1:5060"}, "socket"),
        ({"minimal": True, "socket": "udp:sip.example.com:5060"}, "socket"),
        ({"minimal": True, "socket": "udp:127.0.0.300:5060"}, "socket"),
        ({"minimal": True, "socket": "udp:[127.0.0.1]:5060"}, "socket"),
        ({"minimal": True, "socket": "udp:127.0.0.1:0"}, "socket"),
        ({"minimal": True, "socket": "udp:127.0.0.1:5060\nx"}, "socket"),
        ({"minimal": True, "mi_port": 0}, "mi_port"),
        ({"minimal": True, "mi_port": 65536}, "mi_port"),
        ({"dialplans": (Dialplan(-1),)}, "dialplans.0.dpid"),
        ({"dialplans": (Dialplan(1, code=200),)}, "dialplans.0.code"),
        ({"dialplans": (Dialplan(1, reason='"'),)}, "dialplans.0.reason"),
    ],
)
def test_an_answer_is_refused_at_its_place(values: dict[str, Any], place: str) -> None:
    assert places(replace(USUAL, **values)) == [(place,)]


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"set_id": -1}, "set_id"),
        ({"algorithm": 11}, "algorithm"),
        ({"algorithm": -1}, "algorithm"),
        ({"flags": "fx"}, "flags"),
        ({"flags": "ff"}, "flags"),
        ({"flags": "fF"}, "flags"),
        ({"maximum": 0}, "maximum"),
        ({"last_code": 299}, "last_code"),
        ({"last_code": 700}, "last_code"),
        ({"failure_codes": "5[0-9"}, "failure_codes"),
        ({"failure_codes": "200"}, "failure_codes"),
        ({"failure_codes": '5")'}, "failure_codes"),
        ({"failure_codes": "$rU"}, "failure_codes"),
        ({"prefix": "00|^"}, "prefix"),
        ({"prefix": '"'}, "prefix"),
    ],
)
def test_an_answer_of_a_group_is_refused_at_its_place(values: dict[str, Any], place: str) -> None:
    assert places(first(**values)) == [(f"groups.0.{place}",)]


@pytest.mark.parametrize(
    "name", ["two words", "9lives", "_x", "to-media", 'a"]', "x\n", "é", "drop", "socket"]
)
@pytest.mark.parametrize("field", ["route", "failure_route"])
def test_a_name_that_is_no_word_is_refused(field: str, name: str) -> None:
    assert places(first(**{field: name})) == [(f"groups.0.{field}",)]


def test_a_group_needs_a_route() -> None:
    assert places(first(route="")) == [("groups.0.route",)]


@pytest.mark.parametrize("reason", NOT_A_TEXT)
@pytest.mark.parametrize("field", ["last_reason", "empty_reason"])
def test_a_reason_that_could_end_its_quotes_is_refused(field: str, reason: str) -> None:
    assert places(first(**{field: reason})) == [(f"groups.0.{field}",)]


@pytest.mark.parametrize("algorithm", [7, 9, 10])
def test_an_algorithm_without_what_it_goes_by_is_refused(algorithm: int) -> None:
    assert ("groups.0.parameter",) in places(first(algorithm=algorithm))


@pytest.mark.parametrize("parameter", ["hdr(X)", "$", '$hdr(X)")', "$hdr(X)\n", "$hdr(\\)"])
@pytest.mark.parametrize("algorithm", [7, 9])
def test_what_an_algorithm_goes_by_must_be_a_variable(algorithm: int, parameter: str) -> None:
    assert places(first(algorithm=algorithm, parameter=parameter)) == [("groups.0.parameter",)]


def test_two_groups_that_share_one_set_are_refused_with_both_places() -> None:
    answers = replace(
        USUAL, groups=(GroupAnswers(), SECOND, replace(SECOND, route="r", failure_route="", set_id=1))
    )
    assert places(answers) == [("groups.0.set_id", "groups.2.set_id")]


@pytest.mark.parametrize("field", ["route", "failure_route"])
def test_two_routes_of_one_name_are_refused_with_both_places(field: str) -> None:
    answers = replace(
        USUAL, groups=(GroupAnswers(), replace(SECOND, **{field: getattr(GroupAnswers(), field)}))
    )
    assert places(answers) == [(f"groups.0.{field}", f"groups.1.{field}")]


def test_a_route_that_scores_must_not_be_the_route_of_a_group() -> None:
    assert places(first(algorithm=10, parameter="to_media_vbb")) == [("groups.0.route", "groups.0.parameter")]


def test_groups_may_share_the_route_that_scores() -> None:
    groups = (
        GroupAnswers(algorithm=10, parameter="score"),
        replace(SECOND, algorithm=10, parameter="score"),
    )
    assert places(replace(USUAL, groups=groups)) == []


def test_groups_cannot_hash_different_variables() -> None:
    groups = (GroupAnswers(algorithm=7, parameter="$ci"), replace(SECOND, algorithm=7, parameter="$fU"))
    assert places(replace(USUAL, groups=groups)) == [("groups.0.parameter", "groups.1.parameter")]


def test_a_dialplan_is_called_once() -> None:
    assert places(replace(USUAL, dialplans=(Dialplan(1), Dialplan(1)))) == [
        ("dialplans.0.dpid", "dialplans.1.dpid")
    ]


def test_marking_as_probing_needs_probes() -> None:
    assert places(replace(USUAL, probing_interval=0)) == [("probing_interval", "groups.0.mark")]
    assert places(replace(USUAL, probing_interval=0, groups=(GroupAnswers(mark=MarkAction.INACTIVE),))) == []


def test_the_next_destination_needs_flag_f() -> None:
    assert places(first(flags="u")) == [("groups.0.flags", "groups.0.try_next")]
    assert places(first(flags="u", try_next=False)) == []


def test_a_maximum_needs_flag_f() -> None:
    assert places(first(flags="", try_next=False, maximum=2)) == [("groups.0.maximum", "groups.0.flags")]


def test_something_must_count_as_a_failure() -> None:
    refused = [("groups.0.failure_codes", "groups.0.failure_timeouts")]
    assert places(first(failure_codes="", failure_timeouts=False)) == refused


def test_a_whole_proxy_separates_its_groups_by_prefixes() -> None:
    two = replace(USUAL, minimal=True, groups=(GroupAnswers(), replace(SECOND, prefix="")))
    assert places(two) == [("groups.0.prefix", "groups.1.prefix")]
    assert places(replace(two, minimal=False)) == []


@given(st.text())
def test_no_text_ends_its_quotes_or_its_line(text: str) -> None:
    """Whatever is typed for any text is refused, or leaves the number of lines and quotes as it was."""
    usual = write(first(algorithm=7, parameter="$ci"))
    group = GroupAnswers(algorithm=7, parameter=f"$ci{text}", last_reason=f"x{text}", empty_reason=f"x{text}")
    for answers in (
        replace(USUAL, groups=(group,)),
        replace(first(algorithm=7, parameter="$ci"), database_url=f"mysql://u:{text}@h/d"),
        replace(first(algorithm=7, parameter="$ci"), probing_from=f"sip:{text}"),
        replace(first(algorithm=7, parameter="$ci", route=text)),
    ):
        written = write(answers)
        if written.refusals:
            continue
        assert len(written.text.splitlines()) == len(usual.text.splitlines())
        assert [line.text.count('"') for line in written.lines] == [
            line.text.count('"') for line in usual.lines
        ]
