"""What can go wrong in one MI request: one hierarchy, each error a sentence for people (`str(error)`).

No text here ever holds a password. What a server sent that is no MI is in no text, but in `excerpt`, which is
for administrators alone: otherwise anyone who may enter an address could read what answers there.
"""

from enum import Enum


class MiError(Exception):
    """An MI request without a usable result.

    `may_have_run` is whether the proxy may have executed the request although no answer came: then
    the outcome is unknown, and a change must be read back before it is sent again.
    """

    may_have_run = False


class Obstacle(Enum):
    """Why no conversation with an address was possible."""

    NAME = "name"
    REFUSED = "refused"
    NO_ROUTE = "no route"
    FORBIDDEN = "forbidden"
    """The panel may not connect there (efcp/mi/endpoint.py)."""
    TLS = "tls"
    OTHER = "other"


class UnreachableError(MiError):
    """Nothing could be asked: no such name, connection refused, no route, or no TLS with it."""

    def __init__(self, place: str, obstacle: Obstacle, detail: str) -> None:
        super().__init__(f"{place} can't be reached: {detail}.")
        self.obstacle = obstacle


class Stage(Enum):
    """How far a request had come; the value completes the sentence "it was still …"."""

    NAME = "looking up the proxy's name"
    CONNECTING = "connecting"
    TLS = "setting up TLS"
    SENDING = "sending the request"
    WAITING = "waiting for the proxy's answer"
    BODY = "reading the proxy's answer"


class TooSlowError(MiError):
    """The limit on the whole time of the request, `limit_s` seconds, passed at `stage`."""

    def __init__(self, stage: Stage, limit_s: float) -> None:
        super().__init__(f"Timed out after {limit_s:g} s while {stage.value}.")
        self.stage = stage
        self.limit_s = limit_s
        self.may_have_run = stage in {Stage.SENDING, Stage.WAITING, Stage.BODY}


class NotMiError(MiError):
    """Something answered, but not with a JSON-RPC reply to the request.

    `status` is the HTTP status, None where not even that came; `content_type` and `excerpt` are what it
    sent, empty where it sent none. A redirect or an HTTP error of the client's side (3xx, 4xx) means that
    nothing was carried out; after any other such answer it may have been.
    """

    lead = "The answer is not MI's: "

    def __init__(
        self, problem: str, status: int | None = None, content_type: str = "", excerpt: str = ""
    ) -> None:
        super().__init__(f"{self.lead}{problem}.")
        self.may_have_run = status is None or not 300 <= status < 500
        self.status = status
        self.content_type = content_type
        self.excerpt = excerpt


class WrongShapeError(NotMiError):
    """A JSON-RPC reply whose result is not of the shape that the command's result has; `field` says where."""

    def __init__(self, field: str, expected: str, found: str) -> None:
        super().__init__(f"{field} should be {expected}, but {found}", 200, "application/json")
        self.field = field


class UnfinishedReplyError(NotMiError):
    """An HTTP error whose body never ends, as OpenSIPS's httpd sends it (`raw` in the recorded vectors)."""

    lead = "The proxy failed: it answered "

    def __init__(self, status: int, content_type: str, excerpt: str) -> None:
        hint = (
            "; often the reply was too large for the proxy: raise httpd's buf_size"
            if status in {400, 500}
            else ""
        )
        super().__init__(f"HTTP status {status} with an endless body{hint}", status, content_type, excerpt)


class ReplyTooLargeError(MiError):
    """The answer is larger than the panel accepts: `limit` bytes."""

    may_have_run = True

    def __init__(self, limit: int) -> None:
        super().__init__(f"The answer is too large: more than {limit / 2**20:g} MiB.")
        self.limit = limit


UNKNOWN_COMMAND = -32601
"""JSON-RPC 2.0, section 5.1: "Method not found"."""


class RefusedError(MiError):
    """The proxy itself answered with an error: `code`, `message`, and `data` where it gave any (else "")."""

    def __init__(self, code: int, message: str, data: str = "") -> None:
        super().__init__(f"The proxy refused: {message} ({code}){f': {data}' if data else ''}.")
        self.code = code
        self.message = message
        self.data = data


class UnknownCommandError(RefusedError):
    """The proxy does not offer the command `method`: most often its script does not load the module."""

    def __init__(self, method: str) -> None:
        super().__init__(UNKNOWN_COMMAND, "Method not found")
        self.args = (not_offered(method),)
        self.method = method


_MODULES = {"ds": "dispatcher", "dp": "dialplan"}


def not_offered(method: str) -> str:
    """The one sentence for a command that a proxy does not offer, with the module that brings it."""
    module = _MODULES.get(method.partition("_")[0])
    reason = f"its script does not load the module {module}" if module else "it is another server or too old"
    return f"The proxy does not offer {method}: {reason}."
