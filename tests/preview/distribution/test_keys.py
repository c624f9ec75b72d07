"""Keys of whole columns: the same as the routing core makes of each value alone, and packed as they are."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher.routing.environment import Environment
from dispatcher.routing.hashing import Request, uri_keys
from efcp.preview.distribution.keys import key_columns, packed
from efcp.preview.distribution.question import KeyField
from efcp.sip.uri import UriError

TRANSPORTS = frozenset({"udp", "tcp", "tls", "sctp", "ws", "wss"})
ENVIRONMENT = Environment(resolve=lambda *_: (), transports=TRANSPORTS)
TYPES = {"binary": pa.binary(), "large": pa.large_binary()}

texts = st.text(st.sampled_from('abAB01@:;.,<>"%?=+- \t\r\n/[]é'), max_size=24)
uris = st.one_of(
    texts,
    st.from_regex(
        r"\A(sips?|SIP|tel):[a-z0-9+._%:-]{0,6}@?[a-z0-9.\[\]:-]{0,9}(:[0-9]{1,6})?(;[a-z=]{1,14})?\Z"
    ),
    st.from_regex(r"\Asip:[a-z]@h(:506[0-2])?(;transport=(udp|tcp|tls|ws|no))?\Z"),
)


def keys(field: KeyField, values: list[bytes | None], kind: str, user_only: bool = False) -> list[object]:
    columns = key_columns(field, pa.array(values, TYPES[kind]), user_only=user_only)
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def alone(key: Callable[[str | None], bytes | None], value: bytes | None) -> object:
    return (key(None if value is None else value.decode("utf-8", "surrogateescape")),)


def uri_alone(value: bytes | None, user_only: bool) -> object:
    if not value:
        return (None, None)
    try:
        return uri_keys(value.decode("utf-8", "surrogateescape"), ENVIRONMENT, user_only=user_only)
    except UriError:
        return (None, None)


@pytest.mark.parametrize("kind", TYPES)
@given(st.lists(st.one_of(st.none(), texts.map(str.encode), st.binary(max_size=6)), max_size=8))
def test_call_ids_are_trimmed_and_an_empty_one_is_none(kind: str, values: list[bytes | None]) -> None:
    expected = [alone(lambda text: Request(call_id=text or "").call_id_key or None, each) for each in values]
    assert keys(KeyField.CALL_ID, values, kind) == expected


@pytest.mark.parametrize("kind", TYPES)
@given(st.lists(st.one_of(st.none(), texts.map(str.encode), st.binary(max_size=6)), max_size=8))
@example([b"a@", b"ab@c", b" @x", b"  ", b""])
def test_auth_users_end_at_the_domain(kind: str, values: list[bytes | None]) -> None:
    assert keys(KeyField.AUTH_USER, values, kind) == [
        alone(lambda text: Request(auth_user=text).auth_key, each) for each in values
    ]


@pytest.mark.parametrize("kind", TYPES)
@given(st.lists(st.one_of(st.none(), texts.map(str.encode)), max_size=8))
def test_an_unset_variable_has_a_key_and_an_empty_one_has_none(kind: str, values: list[bytes | None]) -> None:
    assert keys(KeyField.CUSTOM, values, kind) == [
        alone(lambda text: Request(hash_value=text).hash_value_key or None, each) for each in values
    ]


@pytest.mark.parametrize("kind", TYPES)
@given(st.lists(st.one_of(st.none(), uris.map(str.encode), st.binary(max_size=6)), max_size=8), st.booleans())
@example([b"sip:a@h:5060", b"sip:a@h:5061", b"sips:a@h:5060", b"sip:a@h:05060", b"sip:h", b"sip:a@"], False)
def test_uris_are_taken_apart_as_the_core_does(
    kind: str, values: list[bytes | None], user_only: bool
) -> None:
    values = [value for value in values if b"<" not in (value or b"")]
    assert keys(KeyField.FROM_URI, values, kind, user_only) == [uri_alone(each, user_only) for each in values]


@pytest.mark.parametrize("value", [b'"A, B" <sip:a@h>;tag=1', b"<sip:a@h>", b" A <sip:a@h:5060> "])
def test_a_header_s_value_is_taken_as_the_uri_in_its_angles(value: bytes) -> None:
    assert keys(KeyField.FROM_URI, [value], "binary") == [(b"a", b"h")]


@pytest.mark.parametrize("kind", TYPES)
def test_a_slice_is_packed_with_its_own_offsets(kind: str) -> None:
    whole = pa.array([b"ab", b"", None, b"cde", b"f"], TYPES[kind])
    data, offsets = packed(whole[1:4])
    assert [data[a:b].tobytes() for a, b in pairwise(offsets)] == [b"", b"", b"cde"]


def test_packing_copies_nothing() -> None:
    values = pa.array([b"ab", b"cde"])
    data, offsets = packed(values)
    assert data.__array_interface__["data"][0] == values.buffers()[2].address
    assert offsets.__array_interface__["data"][0] == values.buffers()[1].address
    assert offsets.dtype == np.int32


def test_nothing_is_packed_as_nothing() -> None:
    data, offsets = packed(pa.array([], pa.binary()))
    assert (len(data), offsets.tolist()) == (0, [0])
