"""From a log's column to calls that can be sent through a set; rows that hold no call are broken.

Only a job's own process imports this: it needs pyarrow, the extra `replay`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dispatcher.routing.requests import Request
from dispatcher.routing.selection import Algorithm
from efcp.preview.spread.fields import FIELD_OF, LABELS, URIS, Field
from efcp.preview.spread.reading import CallLog

_NEEDED = URIS | {Field.CALL_ID}
"""Without an auth user or a custom key a proxy has an answer; a call without the others is none."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Some calls, and how much of the log is read with them."""

    calls: list[Request]
    position: int


class LogCalls:
    """The calls of a log. `rows` counts them as they are read."""

    def __init__(self, log: CallLog, algorithm: Algorithm, columns: dict[str, int]) -> None:
        self.rows = 0
        self._log = log
        self._field = FIELD_OF.get(algorithm)
        # Where nothing is hashed any column tells how many rows there are.
        self._column = columns[self._field] if self._field else 0

    def portions(self) -> Iterator[Portion]:
        """The calls; raises JobError where the file can't be read (on)."""
        for batch in self._log.batches(self._column):
            calls = list(self._calls(batch))
            self.rows += len(calls)
            yield Portion(calls, batch.position)

    def _calls(self, batch: Any) -> Iterator[Request]:
        for index, value in enumerate(batch.values.to_pylist()):
            text = None if value is None else value.decode("utf-8", "surrogateescape").strip(" \t\r\n")
            if self._field in _NEEDED and not text:
                self._log.broken.add(batch.line_of(index), f"no {LABELS[self._field]}", text or "")
                continue
            yield _request(self._field, text)


def _request(field: Field | None, text: str | None) -> Request:
    match field:
        case Field.CALL_ID:
            return Request(call_id=text or "")
        case Field.FROM_URI:
            return Request(from_uri=text or "")
        case Field.TO_URI:
            return Request(to_uri=text or "")
        case Field.REQUEST_URI:
            return Request(request_uri=text or "")
        case Field.AUTH_USER:
            return Request(auth_user=text)
        case Field.CUSTOM:
            return Request(hash_value=text)
    return Request()
