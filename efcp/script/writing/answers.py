"""What the writer asks: the answers of a form, of a command or of a TOML file, as values."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, get_args, get_type_hints

from efcp.releases import OLDEST


class MarkAction(StrEnum):
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
class GroupAnswers:
    """One group of destinations: its route, how a destination is chosen, and what a failure means.

    `maximum` is how many destinations a call may try, None for all. `parameter` is what algorithm 7 hashes
    ("$hdr(X-Tenant)"), the pattern that algorithm 9 reads loads from ("$stat(load_%u)"), or the name of the
    route that scores for algorithm 10. `failure_route` "" is none. A failure is a final reply whose code
    matches `failure_codes` (a POSIX expression, "" for none), and with `failure_timeouts` no reply at all.
    `try_next` takes the next destination after it. `last_code` and `last_reason` are the reply when none is
    left; `empty_reason` is sent with the same code where the set has none to begin with. `prefix` is what the
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
    mark: MarkAction = MarkAction.PROBING
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
    groups: tuple[GroupAnswers, ...] = (GroupAnswers(),)
    dialplans: tuple[Dialplan, ...] = ()
    minimal: bool = False
    socket: str = "udp:127.0.0.1:5060"
    mi_port: int = 8888
    module_path: str = ""
    show_passwords: bool = False


@dataclass(frozen=True, slots=True)
class AlgorithmHelp:
    """How a destination is chosen. `parameter` is the module parameter that it reads, `needs` names it."""

    words: str
    parameter: str = ""
    needs: str = ""


ALGORITHMS = {
    0: AlgorithmHelp("by a hash of the Call-ID"),
    1: AlgorithmHelp("by a hash of the From address"),
    2: AlgorithmHelp("by a hash of the To address"),
    3: AlgorithmHelp("by a hash of the request URI"),
    4: AlgorithmHelp("in turn, each as many times in a row as its weight says"),
    5: AlgorithmHelp("by a hash of the user that authenticates"),
    6: AlgorithmHelp("at random"),
    7: AlgorithmHelp("by a hash of a variable", "hash_pvar", "the variable to hash, as $hdr(X-Tenant)"),
    8: AlgorithmHelp("the first one that is active"),
    9: AlgorithmHelp(
        "by the least load", "pvar_algo_pattern", "the variable that tells a load, as $stat(load_%u)"
    ),
    10: AlgorithmHelp("by the lowest score", "algo_route", "the name of the route that scores"),
}

FLAGS = {
    "f": "f keeps the others for the next try",
    "u": "u hashes the user part only",
    "d": "d keeps the last destination for when no other is active",
    "a": "a adds to what was chosen before",
}


def parameter_of(algorithm: int) -> str:
    """The module parameter that an algorithm reads, "" for none; an unknown algorithm reads none."""
    known = ALGORITHMS.get(algorithm)
    return known.parameter if known else ""


class AnswersFileError(Exception):
    """The file is no answers: the message says what and where."""


def read_answers(text: str) -> Answers:
    """The answers in a TOML text; what it leaves out is as in the guide. Raises AnswersFileError."""
    try:
        answers: Answers = _read(Answers, tomllib.loads(text), "")
    except tomllib.TOMLDecodeError as error:
        raise AnswersFileError(f"Not valid TOML: {error}") from None
    return answers


def _read(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    types = get_type_hints(kind)
    for name in values:
        if name not in types:
            known = ", ".join(field.name for field in fields(kind))
            raise AnswersFileError(f"{where}{name}: unknown answer. Known answers: {known}.")
    missing = [name for name in ("dpid",) if kind is Dialplan and name not in values]
    if missing:
        raise AnswersFileError(f"{where}{missing[0]} is missing.")
    return kind(**{name: _value(types[name], value, f"{where}{name}") for name, value in values.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    if kind in (Answers, GroupAnswers, Dialplan) and isinstance(value, dict):
        return _read(kind, value, f"{where}.")
    arguments = get_args(kind)
    if arguments and arguments[-1] is Ellipsis and isinstance(value, list):
        return tuple(_value(arguments[0], each, f"{where}.{index}") for index, each in enumerate(value))
    allowed = tuple(each for each in arguments or (kind,) if each is not type(None))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if value in {each.value for each in kind}:
            return kind(value)
    elif type(value) in allowed:
        return value
    raise AnswersFileError(f"{where}: {value!r} is not a valid value.")
