"""The core's `version`, `uptime` and `which`."""

import re
from dataclasses import dataclass

from efcp.mi.reply import Reply
from efcp.mi.shape import Shape, texts

_SERVER = re.compile(r"([^\s()]+) \(([^\s()]+) \(([^()]*)\)\)")
_UP_TIME = re.compile(r"([0-9]{1,18}) \[sec\]")


@dataclass(frozen=True, slots=True)
class Version:
    """The answer to `version`, such as server `OpenSIPS`, version `3.4.18`, platform `x86_64/linux`."""

    server: str
    version: str
    platform: str
    round_trip_s: float


@dataclass(frozen=True, slots=True)
class Uptime:
    """The answer to `uptime`. `now` and `up_since` are the proxy's own texts, in its own zone."""

    now: str
    up_since: str
    up_time_s: int
    round_trip_s: float


@dataclass(frozen=True, slots=True)
class CommandNames:
    """The answer to `which`: the names of the commands that the proxy lists, in its order.

    4.0 lists its new names only (`dispatcher:list`), though it still knows the old ones.
    """

    names: tuple[str, ...]
    round_trip_s: float


def parse_version(reply: Reply) -> Version:
    """Read the result of `version`. Raises WrongShapeError."""
    shape = Shape(reply.result)
    found = _SERVER.fullmatch(shape.text("Server"))
    if found is None:
        raise shape.wrong("Server", "a text like “OpenSIPS (3.4.18 (x86_64/linux))”")
    return Version(found[1], found[2], found[3], reply.round_trip_s)


def parse_uptime(reply: Reply) -> Uptime:
    """Read the result of `uptime`. Raises WrongShapeError."""
    shape = Shape(reply.result)
    found = _UP_TIME.fullmatch(shape.text("Up time"))
    if found is None:
        raise shape.wrong("Up time", "a text like “17 [sec]”")
    return Uptime(shape.text("Now"), shape.text("Up since"), int(found[1]), reply.round_trip_s)


def parse_command_names(reply: Reply) -> CommandNames:
    """Read the result of `which`. Raises WrongShapeError."""
    return CommandNames(texts(reply.result), reply.round_trip_s)
