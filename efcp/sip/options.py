"""The request that a dispatcher probe is, and the answers to it. No I/O.

What an OpenSIPS proxy sends was recorded from 3.4, 3.6 and 4.0: request line, Via, To, From with a tag, CSeq,
Call-ID, Max-Forwards 70, no body and no Contact. Whatever arrives is taken for hostile.
"""

import re
from dataclasses import dataclass

MAX_HEAD_BYTES = 8192
FIRST_FINAL_CODE = 200
MODULE_FROM = "sip:dispatcher@localhost"
"""ds_ping_from where a script does not set it."""

_STATUS = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})(?:[ \t]+([^\r\n]*))?(?:\r|\n|$)")
_VIA = re.compile(rb"^(?:via|v)[ \t]*:([^\r\n,]*)", re.IGNORECASE | re.MULTILINE)
_BRANCH = re.compile(rb";[ \t]*branch[ \t]*=[ \t]*([\w.!%*+`'~-]+)[ \t]*(?:;|$)", re.IGNORECASE)
_CSEQ = re.compile(rb"^cseq[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_CSEQ_VALUE = re.compile(rb"[ \t]*[0-9]+[ \t]+([A-Z]+)[ \t]*")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_PRINTED = re.compile(r"[!-~]+")
_NEVER_IN_A_URI = frozenset('<>"\\')


@dataclass(frozen=True, slots=True)
class Response:
    """What counts of an answer: its code, and the transaction that it names."""

    code: int
    branch: str


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """One probe. `transport` is "udp", "tcp" or "tls"; `sent_by` is `host:port` of the socket."""

    method: str
    uri: str
    from_uri: str
    transport: str
    sent_by: str
    branch: str
    tag: str
    call_id: str
    user_agent: str

    def to_bytes(self) -> bytes:
        """The request on the wire. Raises ValueError where a URI can't stand in one."""
        if not (may_stand_in_request(self.uri) and may_stand_in_request(self.from_uri)):
            raise ValueError("A URI contains characters that are not allowed in a request.")
        lines = (
            f"{self.method} {self.uri} SIP/2.0",
            f"Via: SIP/2.0/{self.transport.upper()} {self.sent_by};branch={self.branch};rport",
            f"To: <{self.uri}>",
            f"From: <{self.from_uri}>;tag={self.tag}",
            f"CSeq: 10 {self.method}",
            f"Call-ID: {self.call_id}",
            "Max-Forwards: 70",
            "Content-Length: 0",
            f"User-Agent: {self.user_agent}",
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def may_stand_in_request(uri: str) -> bool:
    """Whether `uri` can be sent within angle brackets: printed ASCII without brackets and quotes."""
    return _PRINTED.fullmatch(uri) is not None and not _NEVER_IN_A_URI & set(uri)


def read_response(datagram: bytes, method: str = "OPTIONS") -> Response | None:
    """The answer to a request of this `method` in a datagram; None for anything else."""
    head = _FOLD.sub(b" ", datagram[:MAX_HEAD_BYTES].partition(b"\r\n\r\n")[0])
    status, via, cseq = _STATUS.match(head), _VIA.search(head), _CSEQ.search(head)
    branch = _BRANCH.search(via[1]) if via else None
    if status is None or branch is None or cseq is None:
        return None
    value = _CSEQ_VALUE.fullmatch(cseq[1])
    if value is None or value[1] != method.encode():
        return None
    return Response(int(status[1]), branch[1].decode("latin-1"))


def reason_of(datagram: bytes) -> str:
    """The reason phrase of an answer as printed ASCII, at most 80 characters."""
    status = _STATUS.match(datagram[:MAX_HEAD_BYTES])
    phrase = (status[2] or b"").decode("utf-8", "replace") if status else ""
    return "".join(letter if letter.isprintable() else " " for letter in phrase).strip()[:80]
