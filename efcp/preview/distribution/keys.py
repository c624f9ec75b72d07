"""From the column of a call log to the keys that are hashed.

Only a job's own process imports this: it needs pyarrow, the extra `replay`. Arrays are pyarrow's, of binary
or large binary; an absent value is null. The keys are those that dispatcher.routing.hashing makes of each
value alone (tests/preview/distribution/test_keys.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dispatcher.environment import not_looked_up
from dispatcher.routing.environment import Environment
from dispatcher.routing.hashing import Request, uri_keys
from dispatcher.routing.replay import Calls, Keys
from dispatcher.routing.selection import SelectFlag
from efcp.preview.distribution.question import FIELD_OF, LABELS, URIS, KeyField, SelectArguments
from efcp.preview.distribution.reading import BROKEN_SHOWN, ColumnBatch, LogReader
from efcp.sip.uri import UriError

_ENVIRONMENT = Environment(
    resolve=not_looked_up, transports=frozenset({"udp", "tcp", "tls", "sctp", "ws", "wss"})
)
"""Of it only the default ports count here; efcp.preview.sources takes the same transports as loaded."""

_BLANKS = " \t\r\n"
_PLAIN_URI = r"^sip:(?P<user>[0-9A-Za-z+_.\-]+)@(?P<host>[0-9A-Za-z.\-]+)(?::5060)?$"
"""What most logs hold, and what needs no look at the transport: 5060 is its default port."""
_IN_ANGLES = r"<(?P<uri>[^<>]*)>"

_NEEDED = URIS | {KeyField.CALL_ID}
"""Without an auth user or a custom key a proxy has an answer; a call without one of these is none."""


@dataclass(frozen=True, slots=True)
class CallBatch:
    """Some calls of a log, which of them are broken, and how much of the log has been read."""

    calls: Calls
    broken: NDArray[np.bool_] | None
    position: int


class LogCalls:
    """The calls of a log. `rows` counts those read so far without the broken ones."""

    def __init__(self, log: LogReader, question: SelectArguments, columns: dict[str, int]) -> None:
        self.rows = 0
        self._log = log
        self._field = FIELD_OF.get(question.algorithm)
        self._user_only = SelectFlag.USER_ONLY in question.flags
        self._dice = np.random.default_rng(0)
        # Where nothing is hashed, any column gives the number of rows.
        self._column = columns[self._field] if self._field else 0

    def batches(self) -> Iterator[CallBatch]:
        """The calls; raises JobError where the file can't be read (on)."""
        for batch in self._log.batches(self._column):
            found = self._unkeyed(batch) if self._field is None else self._keyed(batch, self._field)
            self.rows += len(found.calls) - (0 if found.broken is None else int(found.broken.sum()))
            yield found

    def _unkeyed(self, batch: ColumnBatch) -> CallBatch:
        """Calls with random keys: only algorithm 6 hashes them."""
        count = len(batch.values)
        data = self._dice.integers(0, 256, 8 * count, np.uint8)
        return CallBatch(Calls(Keys(data, np.arange(count + 1, dtype=np.int64) * 8)), None, batch.position)

    def _keyed(self, batch: ColumnBatch, field: KeyField) -> CallBatch:
        first, *others = key_columns(field, batch.values, user_only=self._user_only)
        missing = np.asarray(pc.is_null(first)) if first.null_count else None
        calls = Calls(_keys(first), _keys(others[0]) if others else None, missing)
        if missing is None or field not in _NEEDED:
            return CallBatch(calls, None, batch.position)
        self._add_broken(batch, field, np.flatnonzero(missing))
        return CallBatch(calls, missing, batch.position)

    def _add_broken(self, batch: ColumnBatch, field: KeyField, rows: NDArray[np.intp]) -> None:
        for row in rows[:BROKEN_SHOWN].tolist():
            value = batch.values[row].as_py() or b""
            self._log.broken.add(batch.line_of(row), _why(field, value), value.decode("utf-8", "replace"))
        self._log.broken.count += max(0, len(rows) - BROKEN_SHOWN)


def _keys(values: object) -> Keys:
    data, offsets = packed(values)
    return Keys(data, offsets.astype(np.int64, copy=False))


def _why(field: KeyField, value: bytes) -> str:
    if not value.strip():
        return f"no {LABELS[field]}"
    return "a proxy can't parse this URI" if field in URIS else f"no {LABELS[field]}"


def packed(values: Any) -> tuple[NDArray[np.uint8], NDArray[np.int32] | NDArray[np.int64]]:
    """The bytes of all values in a row, and their offsets, without a copy; a null counts as empty."""
    kind = np.dtype(np.int64 if _binary_like(values) == pa.large_binary() else np.int32)
    _validity, offsets, data = values.buffers()
    if offsets is None or not len(values):
        return np.empty(0, np.uint8), np.zeros(1, kind)
    begins = np.frombuffer(offsets, kind, len(values) + 1, values.offset * kind.itemsize)
    return np.frombuffer(data if data is not None else b"", np.uint8), begins


def key_columns(field: KeyField, values: Any, *, user_only: bool) -> tuple[Any, ...]:
    """The keys of a column that holds `field`, as arrays of binary that are hashed one after the other.

    A row without a key is null in each.
    """
    texts = _as_text(values)
    if field in URIS:
        return _uri_column(texts, user_only=user_only)
    if field is KeyField.AUTH_USER:
        return (_auth_keys(texts),)
    if field is KeyField.CUSTOM:
        texts = pc.fill_null(texts, Request().hash_value_key.decode())
    trimmed = pc.ascii_trim(texts, characters=_BLANKS)
    return (_null_where_empty(trimmed, trimmed),)


def _auth_keys(texts: Any) -> Any:
    """Users; only one with an @ needs more than trimming."""
    trimmed = _null_where_empty(texts, pc.ascii_trim(texts, characters=_BLANKS))
    rows = np.flatnonzero(pc.fill_null(pc.match_substring(texts, "@"), False))
    return _replaced((trimmed,), texts, rows, lambda text: (Request(auth_user=text).auth_key,))[0]


def _uri_column(texts: Any, *, user_only: bool) -> tuple[Any, ...]:
    """Users and hosts of URIs; of a header's value, the URI in its angle brackets."""

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
    return users, hosts


def _replaced(
    parts: tuple[Any, ...],
    texts: Any,
    rows: NDArray[np.intp],
    keys_of: Callable[[str], tuple[bytes | None, ...]],
) -> tuple[Any, ...]:
    """The columns `parts` with the keys of `texts` put in at `rows`; each distinct text is parsed once."""
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
    """The same bytes as text, without a copy or a check for UTF-8."""
    wide = _binary_like(values) == pa.large_binary()
    like = pa.LargeStringArray if wide else pa.StringArray
    validity, offsets, data = values.buffers()
    return like.from_buffers(len(values), offsets, data, validity, values.null_count, values.offset)
