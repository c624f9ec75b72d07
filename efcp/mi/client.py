"""The MI client: requests to one proxy."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from efcp.mi.endpoint import Endpoint, excerpt, tls_context
from efcp.mi.errors import UNKNOWN_COMMAND, RefusedError, UnknownCommandError
from efcp.mi.exchange import post
from efcp.mi.jsonrpc import BadReplyError, JsonValue, Params, decode_reply, encode_request, not_mi, require_ok
from efcp.mi.listing import ListReader
from efcp.mi.replies import (
    CommandNames,
    DialplanPartitions,
    Done,
    DsList,
    ListedState,
    Reply,
    ReportList,
    TranslationReply,
    Uptime,
    Version,
    parse_all_partitions,
    parse_command_names,
    parse_ds_list,
    parse_one_partition,
    parse_reports,
    parse_translation,
    parse_uptime,
    parse_version,
)
from efcp.mi.stream import Deadline

TIMEOUT_S = 3.0
"""The limit on the whole time of a call, unless another is given."""

RELOAD_TIMEOUT_S = 30.0
"""The limit for a reload, which waits for the proxy's database and name lookups."""

MAX_PLAIN_BYTES = 2 * 2**20
"""The largest answer to anything but ds_list; the longest are 200 reports for each partition."""

MAX_ANSWER_BYTES = 64 * 2**20
"""The largest list of destinations that is accepted.

50,000 destinations with `full` and every text at its column's limit are about 30 MB; the usual ones are 6.4.
"""

_request_ids = itertools.count(1)
_one_is_read = threading.Lock()
"""JSON takes many times the memory of its text: of many threads one reads some at a time."""


@dataclass(frozen=True, slots=True)
class MiClient:
    """Asks the proxy at `endpoint`; each call opens a connection of its own, so threads may share a client.

    `timeout` is the limit in seconds on the whole of a call, from the name lookup to the last byte of the
    answer; each call takes another one.

    Every method raises the MiErrors: UnreachableError, TooSlowError, ReplyTooLargeError, NotMiError (with
    WrongShapeError for a result of another shape), RefusedError. They raise ValueError for a timeout that is
    not positive and for a NUL in a parameter. Nothing is ever sent twice.

    Commands go by their old names, which 3.4, 3.6 and 4.0 all know (recorded in `mi.json.gz`).
    """

    endpoint: Endpoint
    timeout: float = TIMEOUT_S
    max_answer_bytes: int = MAX_ANSWER_BYTES

    def call(self, method: str, params: Params | None = None, timeout: float | None = None) -> Reply:
        """Send any command and return its result as it came: JSON, but of any shape."""
        body = bytearray()
        request_id, round_trip_s = self._post(
            method, params, timeout, min(self.max_answer_bytes, MAX_PLAIN_BYTES), body.extend
        )
        with _one_is_read:
            return Reply(self._decode(method, bytes(body), request_id), round_trip_s)

    def ds_list(
        self, *, full: bool = False, partition: str | None = None, timeout: float | None = None
    ) -> DsList:
        """Return the destinations of one partition or all; with `full` also weight, priority, description."""
        params = _given(full=1 if full else None, partition=partition)
        reader, start = ListReader(self.max_answer_bytes), bytearray()

        def take(part: bytes) -> None:
            if not start:
                start.extend(part)
            reader.feed(part)

        try:
            request_id, round_trip_s = self._post("ds_list", params, timeout, self.max_answer_bytes, take)
            reader.end()
        except BadReplyError as bad:
            raise not_mi(str(bad), bytes(start), self._quote) from None
        with _one_is_read:
            result = self._decode("ds_list", bytes(reader.frame), request_id)
            return parse_ds_list(Reply(result, round_trip_s), reader.cut)

    def ds_reload(
        self,
        *,
        partition: str | None = None,
        inherit_state: bool = True,
        timeout: float = RELOAD_TIMEOUT_S,
    ) -> Done:
        """Reload the dispatcher table, keeping the states in memory or (without) taking the table's.

        After a TooSlowError the reload goes on in the proxy and may well succeed. In a cluster a RefusedError
        (500) can come although the table was taken over, so read back after any answer.
        """
        params = _given(partition=partition, inherit_state="y" if inherit_state else "n")
        return self._done("ds_reload", params, timeout)

    def ds_set_state(
        self,
        state: ListedState,
        set_id: int,
        address: str,
        *,
        partition: str | None = None,
        timeout: float | None = None,
    ) -> Done:
        """Set the state of the first destination of that set whose URI is `address`, whatever its case.

        PROBING counts as one failure, and makes an inactive destination active.
        """
        group = str(set_id) if partition is None else f"{partition}:{set_id}"
        params = {"state": state.value[0].lower(), "group": group, "address": address}
        return self._done("ds_set_state", params, timeout)

    def dp_reload(self, *, partition: str | None = None, timeout: float = RELOAD_TIMEOUT_S) -> Done:
        """Reload the dialplan table. A failure is a RefusedError with code -32000."""
        return self._done("dp_reload", _given(partition=partition), timeout)

    def dp_translate(
        self, dpid: int, text: str, *, partition: str | None = None, timeout: float | None = None
    ) -> TranslationReply:
        """Translate `text` by the rules of `dpid`. No match is a RefusedError (404 "No translation")."""
        params = _given(dpid=dpid, input=text, partition=partition)
        return parse_translation(self.call("dp_translate", params, timeout))

    def dp_show_partition(
        self, partition: str | None = None, *, timeout: float | None = None
    ) -> DialplanPartitions:
        """Return the dialplan's partitions: all, or the one named."""
        reply = self.call("dp_show_partition", _given(partition=partition), timeout)
        return parse_all_partitions(reply) if partition is None else parse_one_partition(reply)

    def sr_list_reports(
        self, group: str | None = None, identifier: str | None = None, *, timeout: float | None = None
    ) -> ReportList:
        """Return the reports of all groups, of one, or of one identifier of a group."""
        if group is None and identifier is not None:
            raise ValueError("An identifier belongs to a group: name that too.")
        reply = self.call("sr_list_reports", _given(group=group, identifier=identifier), timeout)
        return parse_reports(reply, group, identifier)

    def event_subscribe(
        self, event: str, receiver: str, expire_s: int, *, timeout: float | None = None
    ) -> Done:
        """Have `event` sent to a socket such as `udp:127.0.0.1:9000`; a known socket is renewed.

        Without the transport's module (event_datagram for udp) the proxy refuses.
        """
        params = _given(event=event, socket=receiver, expire=expire_s)
        return self._done("event_subscribe", params, timeout)

    def version(self, *, timeout: float | None = None) -> Version:
        """Return which server this is, and of which version."""
        return parse_version(self.call("version", None, timeout))

    def uptime(self, *, timeout: float | None = None) -> Uptime:
        """Return since when the proxy runs."""
        return parse_uptime(self.call("uptime", None, timeout))

    def which(self, *, timeout: float | None = None) -> CommandNames:
        """Return the commands that the proxy lists; 4.0 leaves out the old names that it still knows."""
        return parse_command_names(self.call("which", None, timeout))

    def _post(
        self,
        method: str,
        params: Params | None,
        timeout: float | None,
        max_bytes: int,
        take: Callable[[bytes], None],
    ) -> tuple[int, float]:
        """Send a command and have `take` take what comes; the request's id and the seconds it took."""
        request_id = next(_request_ids)
        request = encode_request(method, params, request_id)
        started = time.monotonic()
        deadline = Deadline.after(self.timeout if timeout is None else timeout)
        post(self.endpoint, request, deadline, max_bytes, tls_context(self.endpoint.authority), take)
        return request_id, time.monotonic() - started

    def _decode(self, method: str, body: bytes, request_id: int) -> JsonValue:
        try:
            return decode_reply(body, request_id, self._quote)
        except RefusedError as error:
            raise UnknownCommandError(method) if error.code == UNKNOWN_COMMAND else error from None

    def _quote(self, text: str) -> str:
        return excerpt(self.endpoint, text)

    def _done(self, method: str, params: Params | None, timeout: float | None) -> Done:
        reply = self.call(method, params, timeout)
        require_ok(reply.result)
        return Done(reply.round_trip_s)


def _given(**params: str | int | None) -> dict[str, str | int] | None:
    """The parameters that have a value; None where none has: a request then has no params at all."""
    return {name: value for name, value in params.items() if value is not None} or None
