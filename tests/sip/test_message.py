"""A pasted request taken apart as the proxy does it, and errors that point at the place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.sip.message import MessageError, parse_message

INVITE = """INVITE sip:+4930123@gw.example.org SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1, SIP/2.0/UDP 192.0.2.2
Max-Forwards: 70
From: "Ann, the \\"first\\"" <sip:ann@example.org;transport=udp>;tag=1
To: Bob <sip:bob@example.org>
Call-ID: abc-1@192.0.2.1
CSeq: 1 INVITE
Content-Length: 4

From: <sip:not-a-header@example.org>
"""


def with_header(line: str) -> str:
    """A request with this header and no other."""
    return f"OPTIONS sip:a@example.org SIP/2.0\n{line}\n\n"


def test_an_ordinary_request() -> None:
    message = parse_message(INVITE)
    assert message.method == "INVITE"
    assert message.request_uri == "sip:+4930123@gw.example.org"
    assert message.from_uri == "sip:ann@example.org;transport=udp"
    assert message.to_uri == "sip:bob@example.org"
    assert message.call_id == "abc-1@192.0.2.1"
    assert message.auth_user is None


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_either_line_ending_and_empty_lines_in_front(ending: str) -> None:
    assert parse_message(ending * 2 + INVITE.replace("\n", ending)) == _shifted(INVITE, 2)


def _shifted(text: str, lines: int) -> object:
    return parse_message("\n" * lines + text)


@pytest.mark.parametrize(
    "line", ["f: <sip:ann@example.org>", "F : sip:ann@example.org;tag=1", "FROM:\tsip:ann@example.org"]
)
def test_compact_names_any_case_and_blanks_before_the_colon(line: str) -> None:
    assert parse_message(with_header(line)).from_uri == "sip:ann@example.org"


def test_a_folded_line_goes_on_with_the_one_before() -> None:
    message = parse_message(with_header('From: "Ann"\n\t<sip:ann@example.org>\n ;tag=1'))
    assert message.from_uri == "sip:ann@example.org"
    assert [header.name for header in message.headers] == ["from"]


def test_a_value_may_begin_on_the_next_line() -> None:
    assert parse_message(with_header("i:\n  abc")).call_id == "abc"


def test_of_several_on_a_line_or_in_lines_the_first_counts() -> None:
    assert parse_message(with_header("To: <sip:a@x>, <sip:b@x>")).to_uri == "sip:a@x"
    assert parse_message(with_header("To: sip:a@x,sip:b@x")).to_uri == "sip:a@x"
    assert parse_message(with_header("Call-ID: one\ni: two")).call_id == "one"


@pytest.mark.parametrize(
    ("lines", "user"),
    [
        ('Authorization: Digest username="ann", realm="x"', "ann"),
        ('Authorization: digest realm="a=b, username=no", username="ann"', "ann"),
        ("Authorization: Digest realm=x,username=ann", "ann"),
        ('Proxy-Authorization: Digest username="p"\nAuthorization: Digest username="a"', "p"),
        ('Proxy-Authorization: Basic eDp5\nAuthorization: Digest username="a"', "a"),
        ('Authorization: Digest realm="x"', None),
        ("Authorization: Basic eDp5", None),
        ('Authorization: Digest username="a\\"b"', 'a\\"b'),
    ],
)
def test_the_digest_user(lines: str, user: str | None) -> None:
    assert parse_message(with_header(lines)).auth_user == user


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ("\n\n", 1, 1),
        ("SIP/2.0 200 OK\n\n", 1, 1),
        ("INVITE\n", 1, 1),
        ("IN{ITE sip:a@x SIP/2.0\n", 1, 3),
        ("INVITE  SIP/2.0\n", 1, 8),
        ("INVITE sip:a@x\n", 1, 15),
        ("INVITE sip:a@x HTTP/1.1\n", 1, 16),
        ("\nINVITE sip:a@x SIP/2.0\n folded\n", 3, 1),
        ("INVITE sip:a@x SIP/2.0\nFrom sip:a@x\n", 2, 5),
        ("INVITE sip:a@x SIP/2.0\nFrom\n", 2, 5),
        ("INVITE sip:a@x SIP/2.0\nFr om: sip:a@x\n", 2, 3),
        ("INVITE sip:a@x SIP/2.0\n: sip:a@x\n", 2, 1),
        ("INVITE sip:a@x SIP/2.0\nFrom: <sip:a@x\n", 2, 7),
        ('INVITE sip:a@x SIP/2.0\nFrom: "Ann <sip:a@x>\n', 2, 7),
        ('INVITE sip:a@x SIP/2.0\nFrom: "Ann" sip:a@x\n', 2, 12),
        ("INVITE sip:a@x SIP/2.0\nFrom:   <>\n", 2, 10),
        ("INVITE sip:a@x SIP/2.0\nCall-ID: \n", 2, 10),
    ],
)
def test_an_error_points_at_the_place(text: str, line: int, column: int) -> None:
    with pytest.raises(MessageError) as refused:
        parse_message(text)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert refused.value.reason


def test_more_than_a_proxy_reads_is_refused() -> None:
    with pytest.raises(MessageError, match="longer"):
        parse_message("INVITE sip:a@x SIP/2.0\nX: " + "a" * 70_000)


@given(st.text(max_size=300))
def test_any_text_is_taken_apart_or_refused_with_a_place_in_it(text: str) -> None:
    place = refused_at(text)
    lines = text.count("\n") + text.count("\r") + 1
    assert place is None or (1 <= place[0] <= lines and place[1] >= 1)


def refused_at(text: str) -> tuple[int, int] | None:
    """Line and column of the error, None where there is none."""
    try:
        parse_message(text)
    except MessageError as error:
        return error.line, error.column
    return None


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40))
def test_a_call_id_comes_through_as_it_is(call_id: str) -> None:
    assert parse_message(with_header(f"Call-ID:  {call_id} ")).call_id == call_id
