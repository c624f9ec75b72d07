"""From a column of texts to the keys that are hashed, column-wise.

Only a job's own process imports this: it needs pyarrow, the extra `replay`. Arrays are pyarrow's, of binary
or large binary; an absent value is null. What comes out is the same as dispatcher.routing.requests makes of
each value alone (tests/preview/test_spread_packing.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dispatcher.environment import not_looked_up
from dispatcher.routing.environment import Environment
from dispatcher.routing.requests import Request, uri_keys
from efcp.preview.spread.fields import URIS, Field
from efcp.sip.uri import UriError

_ENVIRONMENT = Environment(
    resolve=not_looked_up, transports=frozenset({"udp", "tcp", "tls", "sctp", "ws", "wss"})
)
"""Of it only the default ports count here; efcp.preview.sources takes the same transports as loaded."""

_BLANKS = " \t\r\n"
_PLAIN_URI = r"^sip:(?P<user>[0-9A-Za-z+_.\-]+)@(?P<host>[0-9A-Za-z.\-]+)(?::5060)?$"
"""What most logs hold, and what needs no look at the transport: 5060 is its default port."""
_IN_ANGLES = r"<(?P<uri>[^<>]*)>"


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """The keys of some rows. `parts` are hashed one after the other; a row without a key is null in each."""

    parts: tuple[Any, ...]

    @property
    def missing(self) -> NDArray[np.bool_] | None:
        """Which rows have no key; None where all have one."""
        first = self.parts[0]
        return np.asarray(pc.is_null(first)) if first.null_count else None


def packed(values: Any) -> tuple[NDArray[np.uint8], NDArray[np.int32] | NDArray[np.int64]]:
    """The bytes of all values, one after the other, and where each begins (and the last one ends).

    Nothing is copied. A null takes part as an empty one.
    """
    kind = np.dtype(np.int64 if _binary_like(values) == pa.large_binary() else np.int32)
    _validity, offsets, data = values.buffers()
    if offsets is None or not len(values):
        return np.empty(0, np.uint8), np.zeros(1, kind)
    begins = np.frombuffer(offsets, kind, len(values) + 1, values.offset * kind.itemsize)
    return np.frombuffer(data if data is not None else b"", np.uint8), begins


def key_column(field: Field, values: Any, *, user_only: bool) -> KeyColumn:
    """The keys of a column that holds `field`."""
    texts = _as_text(values)
    if field in URIS:
        return _uri_column(texts, user_only=user_only)
    if field is Field.AUTH_USER:
        return KeyColumn((_auth_keys(texts),))
    if field is Field.CUSTOM:
        texts = pc.fill_null(texts, Request().hash_value_key.decode())
    trimmed = pc.ascii_trim(texts, characters=_BLANKS)
    return KeyColumn((_null_where_empty(trimmed, trimmed),))


def _auth_keys(texts: Any) -> Any:
    """Users: only one with an @ is more than trimmed."""
    trimmed = _null_where_empty(texts, pc.ascii_trim(texts, characters=_BLANKS))
    rows = np.flatnonzero(pc.fill_null(pc.match_substring(texts, "@"), False))
    return _replaced((trimmed,), texts, rows, lambda text: (Request(auth_user=text).auth_key,))[0]


def _uri_column(texts: Any, *, user_only: bool) -> KeyColumn:
    """Users and hosts of URIs; a header's value is taken as the URI in its angles."""

    def keys_of(uri: str) -> tuple[bytes | None, ...]:
        try:
            return uri_keys(uri, _ENVIRONMENT, user_only=False)
        except UriError:
            return (None, None)

    trimmed = pc.ascii_trim(texts, characters=_BLANKS)
    uris = pc.coalesce(pc.struct_field(pc.extract_regex(trimmed, _IN_ANGLES), "uri"), trimmed)
    plain = pc.extract_regex(uris, _PLAIN_URI)
    parts = (pc.struct_field(plain, "user"), pc.struct_field(plain, "host"))
    users, hosts = _replaced(parts, uris, np.flatnonzero(~np.asarray(pc.is_valid(parts[0]))), keys_of)
    if user_only:
        hosts = pc.if_else(pc.is_valid(users), "", None).cast(hosts.type)
    return KeyColumn((users, hosts))


def _replaced(
    parts: tuple[Any, ...],
    texts: Any,
    rows: NDArray[np.intp],
    keys_of: Callable[[str], tuple[bytes | None, ...]],
) -> tuple[Any, ...]:
    """The columns `parts`, of binary, with the keys of `texts` at `rows`; each distinct text is read once."""
    kind = _binary_like(texts)
    whole = tuple(_as_binary(part) for part in parts)
    if not len(rows):
        return whole
    encoded = _as_binary(texts.take(pa.array(rows))).dictionary_encode()
    nothing = (None,) * len(parts)
    keys = [
        keys_of(text.decode("utf-8", "surrogateescape")) if text else nothing
        for text in encoded.dictionary.to_pylist()
    ]
    mask = np.zeros(len(texts), np.bool_)
    mask[rows] = True
    return tuple(
        pc.replace_with_mask(
            part, pa.array(mask), pa.array([key[place] for key in keys], kind).take(encoded.indices)
        )
        for place, part in enumerate(whole)
    )


def _null_where_empty(texts: Any, values: Any) -> Any:
    """The values with null in the places of empty texts."""
    empty = pc.fill_null(pc.equal(pc.binary_length(texts), 0), True)
    if not pc.any(empty).as_py():
        return _as_binary(values)
    return _as_binary(pc.if_else(empty, None, values))


def _binary_like(values: Any) -> Any:
    """The type of bytes whose offsets are as wide."""
    return pa.large_binary() if values.type in {pa.large_binary(), pa.large_string()} else pa.binary()


def _as_binary(values: Any) -> Any:
    return values.cast(_binary_like(values))


def _as_text(values: Any) -> Any:
    """The same bytes, taken as text without a look at whether they are UTF-8; nothing is copied."""
    wide = _binary_like(values) == pa.large_binary()
    like = pa.LargeStringArray if wide else pa.StringArray
    validity, offsets, data = values.buffers()
    return like.from_buffers(len(values), offsets, data, validity, values.null_count, values.offset)
