"""What the writer is asked for: the answers of a form or of a command, as values."""

from dataclasses import dataclass
from enum import StrEnum

from efcp.releases import OLDEST


class Mark(StrEnum):
    """What is done to a destination that failed, as the letter that ds_mark_dst takes."""

    PROBING = "p"
    """It gets no calls until a probe succeeds."""
    INACTIVE = "i"
    """It gets no calls until somebody sets it active again."""
    NOTHING = ""
    """It stays as it is."""


@dataclass(frozen=True, slots=True)
class Dialplan:
    """A dialplan that translates the dialled user before a destination is chosen.

    `code` and `reason` are the reply where it has no rule for the call.
    """

    dpid: int
    code: int = 404
    reason: str = "Not Found"


@dataclass(frozen=True, slots=True)
class Group:
    """One group of destinations: its route, how a destination is chosen, and what a failure means.

    `maximum` is how many destinations a call may try, None for all. `parameter` is what algorithm 7 hashes
    ("$hdr(X-Tenant)"), the pattern that algorithm 9 reads loads from ("$stat(load_%u)"), or the name of the
    route that scores for algorithm 10. `failure_route` "" is none. A failure is a final reply whose code
    matches `failure_codes` (a POSIX expression, "" for none), and with `failure_timeouts` no reply at all.
    `try_next` takes the next destination after it. `last_code` and `last_reason` are the reply when none is
    left; `empty_reason` is said with the same code where the set has none to begin with. `prefix` is what the
    dialled user begins with where a whole proxy chooses between groups, "" for the group that takes the rest.
    """

    route: str = "to_media_vbb"
    set_id: int = 1
    algorithm: int = 2
    flags: str = "f"
    maximum: int | None = None
    parameter: str = ""
    failure_route: str = "media_failover"
    failure_codes: str = "[56][0-9][0-9]"
    failure_timeouts: bool = True
    mark: Mark = Mark.PROBING
    try_next: bool = True
    last_code: int = 503
    last_reason: str = "Service Unavailable"
    empty_reason: str = "No route to Media"
    prefix: str = ""

    @property
    def keeps_the_rest(self) -> bool:
        """Whether flag f is among the flags: without it there is no next destination."""
        return "f" in self.flags.lower()


@dataclass(frozen=True, slots=True)
class Answers:
    """All the answers. Left as they are, they are those of the guide's own example.

    `probing_interval` is in seconds, 0 for no probing; `threshold` how many failures in a row take a
    destination out; `probing_mode` 0 probes those that failed, 1 all that are not inactive; `reply_codes`
    count as alive besides 200. With `minimal` a whole proxy is written, that listens on `socket` and answers
    MI over HTTP on 127.0.0.1 and `mi_port`; `module_path` is where its modules are, "" for the one built
    in. `show_passwords` writes the password of `database_url` as it is, and not as the word PASSWORD.
    """

    version: str = str(OLDEST)
    database_url: str = "mysql://opensips:opensipsrw@localhost/opensips"
    probing_interval: int = 10
    probing_from: str = "sip:ds@sip.domain.com"
    threshold: int = 1
    probing_mode: int = 0
    reply_codes: tuple[int, ...] = ()
    groups: tuple[Group, ...] = (Group(),)
    dialplans: tuple[Dialplan, ...] = ()
    minimal: bool = False
    socket: str = "udp:127.0.0.1:5060"
    mi_port: int = 8888
    module_path: str = ""
    show_passwords: bool = False
