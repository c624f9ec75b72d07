"""The hash that picks a destination (dispatch.c: ds_get_hash; recorded: selection vectors)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.routing.hashing import Request, hash_of, request_of
from efcp.sip.message import parse_message

KEYS = st.binary(max_size=60)


def reference(*keys: bytes) -> int:
    """The same arithmetic, spelled out byte by byte with C's types."""
    total = 0
    for key in keys:
        signed = [byte - 256 if byte >= 128 else byte for byte in key]
        position = 0
        while len(signed) - position >= 4:
            a, b, c, d = signed[position : position + 4]
            word = ((a << 24) + (b << 16) + (c << 8) + d) % 2**32
            total = (total + (word ^ (word >> 3))) % 2**32
            position += 4
        word = 0
        for byte in signed[position:]:
            word = ((word << 8) + byte) % 2**32
        total = (total + (word ^ (word >> 3))) % 2**32
    return (total + (total >> 11) + (total >> 13) + (total >> 23)) % 2**32 or 1


@given(KEYS, KEYS)
def test_the_hash_of_two_keys_follows_the_arithmetic_of_c(first: bytes, second: bytes) -> None:
    assert hash_of(first, second) == reference(first, second)


@given(KEYS)
def test_an_empty_second_key_changes_nothing(key: bytes) -> None:
    assert hash_of(key, b"") == hash_of(key)


@pytest.mark.parametrize("key", [b"", b"\0\0\0\0", b"\0"])
def test_a_hash_of_0_becomes_1(key: bytes) -> None:
    assert hash_of(key) == 1


def test_a_whole_request_decides_by_its_uris_its_call_id_its_user_and_a_variable() -> None:
    lines = (
        "INVITE sip:100@example.test SIP/2.0",
        "From: <sip:a@example.test>",
        "To: <sip:b@example.test>",
        "Call-ID: c-1",
        'Authorization: Digest username="ada"',
    )
    message = parse_message("\r\n".join(lines) + "\r\n\r\n")
    assert request_of(message, "7") == Request(
        request_uri="sip:100@example.test",
        from_uri="sip:a@example.test",
        to_uri="sip:b@example.test",
        call_id="c-1",
        auth_user="ada",
        hash_value="7",
    )


def test_a_header_that_a_request_lacks_counts_as_empty() -> None:
    message = parse_message("INVITE sip:100@example.test SIP/2.0\r\n\r\n")
    assert request_of(message) == Request(
        request_uri="sip:100@example.test", from_uri="", to_uri="", call_id=""
    )
