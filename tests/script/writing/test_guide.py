"""With no answers the writer gives what the guide gives: the same calls in the same order."""

import re

from efcp.script.writing.answers import Answers
from efcp.script.writing.script import WrittenScript, write

THE_GUIDES_ROUTE = ["ds_select_dst", "send_reply", "exit", "t_on_failure", "t_relay", "exit"]
THE_GUIDES_FAILURE_ROUTE = [
    "t_was_cancelled",
    "exit",
    "t_check_status",
    "t_local_replied",
    "t_check_status",
    "ds_mark_dst",
    "ds_next_dst",
    "t_reply",
    "exit",
    "t_on_failure",
    "t_relay",
]


def body_of(head: str, written: WrittenScript) -> str:
    """The text of one route."""
    return written.text.partition(f"\n{head} {{\n")[2].partition("\n}\n")[0]


def calls(body: str) -> list[str]:
    """What a route calls, in order, and where it ends; the log set aside."""
    code = re.sub(r'"[^"]*"', '""', body)
    return [name for name in re.findall(r"\bexit\b|\b\w+(?=\()", code) if name not in ("xlog", "if")]


def test_the_route_calls_what_the_guides_calls() -> None:
    assert calls(body_of("route[to_media_vbb]", write(Answers()))) == THE_GUIDES_ROUTE


def test_the_failure_route_calls_what_the_guides_calls() -> None:
    assert calls(body_of("failure_route[media_failover]", write(Answers()))) == THE_GUIDES_FAILURE_ROUTE


def test_the_arguments_are_the_guides() -> None:
    text = write(Answers()).text
    assert 'if (!ds_select_dst(1, 2, "f")) {' in text
    assert 't_on_failure("media_failover");' in text
    assert 't_check_status("[56][0-9][0-9]") || (t_local_replied("all") && t_check_status("408"))' in text
    assert 'ds_mark_dst("p");' in text
    assert 't_reply(503, "Service Unavailable");' in text


def test_the_parameters_are_the_guides_in_the_spelling_that_is_not_old() -> None:
    assert re.findall(
        r'modparam\("dispatcher", "(\w+)", (.*)\)', write(Answers(show_passwords=True)).text
    ) == [
        ("db_url", '"mysql://opensips:opensipsrw@localhost/opensips"'),
        ("ds_ping_interval", "10"),
        ("ds_ping_from", '"sip:ds@sip.domain.com"'),
        ("ds_probing_threshold", "1"),
    ]


def test_a_set_without_destinations_is_answered_503_where_the_guide_has_500() -> None:
    assert 'send_reply(503, "No route to Media");' in write(Answers()).text
