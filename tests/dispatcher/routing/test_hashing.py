"""The hash that picks a destination (dispatch.c: ds_get_hash; recorded: selection vectors)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.routing.hashing import hash_of

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
