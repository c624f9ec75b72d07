"""Reading a list of destinations while it comes, so that it is never in memory as a whole, nor as JSON.

Destinations are cut out of the reply one by one and become values at once; what is left, the frame with its
sets, is read like any other reply. In the frame a run of destinations is a text that no proxy can know.

Hand-written rather than ijson: its C backend (3.6.0) is as fast as json, but refuses the latin1 bytes that
proxies pass on, keeps the last of two equal names, and turns half a surrogate into "?", all of which are to
be refused or read like in any other reply (`efcp/mi/jsonrpc.py`); its Python backend takes twenty times as
long.
"""

import re
import secrets
from typing import Final

from efcp.mi.errors import ReplyTooLargeError, WrongShapeError
from efcp.mi.jsonrpc import BadReplyError, JsonValue, Shape, json_value
from efcp.mi.replies import ListedDestination, destination_of

MAX_FRAME_BYTES: Final = 3 * 2**20
"""50,000 sets of one destination each are 2.4 MB."""
MAX_NODES: Final = 120_000
"""Objects and lists of the frame: each takes sixty bytes and more, however short its text is."""
MAX_PENDING_BYTES: Final = 256 * 1024
"""A text, or a destination; its columns have less than 2 KB."""

_TEXT = rb'"(?:[^"\\]|\\.)*+"'
_FLAT = (
    rb"\{(?:[^{}\[\]\"]++|" + _TEXT + rb"|\[(?:[^{}\[\]\"]++|" + _TEXT + rb")*+\])*+\}"
)  # an object that holds no other, and lists of plain values only, as each destination is
_TOKEN: Final = re.compile(_TEXT + rb'|[{}\[\]]|"', re.DOTALL)
_DESTINATION: Final = re.compile(rb"\s*(" + _FLAT + rb")", re.DOTALL)
_COMMA: Final = re.compile(rb"\s*,")
_MORE_MAY_COME: Final = re.compile(rb"\s*(?:\Z|\{)")


class ListReader:
    """Takes the bytes of one reply. `frame` is what they hold beside destinations, `cut` these, in runs.

    In a run a destination of another shape is its JSON, and the last.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._pending = bytearray()
        self._at = 0
        self._nodes = 0
        self._is_after_key = False
        self._is_in_list = False
        self._run: list[ListedDestination | JsonValue] = []
        self._is_bad = False
        self._nonce = secrets.token_hex(8)
        self._texts: dict[str, str] = {}
        self.frame = bytearray()
        self.cut: dict[str, list[ListedDestination | JsonValue]] = {}

    def feed(self, part: bytes) -> None:
        """Take further bytes. Raises ReplyTooLargeError, BadReplyError for a destination that is no JSON."""
        self._size += len(part)
        if self._size > self._max_bytes:
            raise ReplyTooLargeError(self._max_bytes)
        self._pending += part
        while self._read_destinations() if self._is_in_list else self._read_frame():
            pass
        self._forget_read()

    def end(self) -> None:
        """There are no further bytes: what is left is the frame's."""
        self._end_run()
        self.frame += self._pending[self._at :]

    def _forget_read(self) -> None:
        del self._pending[: self._at]
        self._at = 0
        if len(self._pending) > MAX_PENDING_BYTES:
            raise BadReplyError("a value in it is too long")
        if len(self.frame) > MAX_FRAME_BYTES or self._nodes > MAX_NODES:
            raise BadReplyError("it holds too much beside destinations")

    def _read_frame(self) -> bool:
        """Read up to a list of destinations; whether one begins."""
        for token in _TOKEN.finditer(self._pending, self._at):
            found = token[0]
            if found == b'"':
                self._keep(token.start())
                return False
            self._keep(token.end())
            is_destinations = found == b"[" and self._is_after_key
            self._is_after_key = found == b'"Destinations"'
            self._nodes += found in b"{["
            if is_destinations:
                self._is_in_list = True
                return True
            if self._nodes > MAX_NODES:
                return False
        # Behind the last token there are numbers and the like only.
        self._keep(len(self._pending))
        return False

    def _keep(self, end: int) -> None:
        self.frame += self._pending[self._at : end]
        self._at = end

    def _read_destinations(self) -> bool:
        """Read what has come of the list; whether it has ended."""
        while True:
            begin = self._at
            if self._run:
                comma = _COMMA.match(self._pending, begin)
                begin = comma.end() if comma else begin
            found = _DESTINATION.match(self._pending, begin) if begin > self._at or not self._run else None
            if found is None:
                break
            self._take(found[1])
            self._at = found.end()
        if _MORE_MAY_COME.match(self._pending, begin):
            return False
        self._end_run()
        self._is_in_list = False
        return True

    def _take(self, text: bytes) -> None:
        value = json_value(text)
        if self._is_bad:
            # Nothing of the reply counts any more; the frame stays one.
            self._run = self._run or [None]
            return
        try:
            self._run.append(destination_of(Shape(value), self._same))
        except WrongShapeError:
            self._is_bad = True
            self._run.append(value)

    def _same(self, text: str) -> str:
        """One string for all equal ones: sockets and attributes come again and again."""
        if len(self._texts) > MAX_NODES:
            return text
        return self._texts.setdefault(text, text)

    def _end_run(self) -> None:
        if not self._run:
            return
        name = f"{self._nonce} {len(self.cut)}"
        self.cut[name] = self._run
        self._run = []
        self.frame += f'"{name}"'.encode()
