"""The typed replies of the commands that the panel uses, each with its parser.

`version`, `uptime` and `which` of the core; `ds_list` of dispatcher; `dp_translate` and `dp_show_partition`
of dialplan; `sr_list_reports` of the core, where modules report loads and changes of state. Shapes and
texts are those recorded in `tests/vectors/mi.json.gz` from 3.4, 3.6 and 4.0.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from efcp.mi.jsonrpc import COUNT_RANGE, INT_RANGE, JsonValue, Shape, objects, texts


@dataclass(frozen=True, slots=True)
class Reply:
    """A command's result as JSON, and the round trip in seconds.

    The round trip lasts from the name lookup, with connecting and TLS, to the last byte of the answer.
    """

    result: JsonValue
    round_trip_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """A command that returns nothing was carried out."""

    round_trip_s: float


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


_UINT16 = range(2**16)


class ListedState(Enum):
    """A destination's state, by ds_list's own word. Its first letter in lower case is ds_set_state's."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    PROBING = "Probing"


_STATES = {state.value: state for state in ListedState}


@dataclass(frozen=True, slots=True)
class ListedDestination:
    """One destination in a proxy's memory.

    Texts that a reply leaves out are empty. `weight`, `priority` and `description` are None where the list
    was requested without `full`. `first_hit_counter` counts first choices since the last reload, None where
    the proxy does not list it.
    `resolved_addresses` are `address:port`; port 0 stands for a transport that the proxy has not loaded.
    """

    uri: str
    state: ListedState
    first_hit_counter: int | None
    socket: str
    attrs: str
    script_attrs: str
    weight: int | None
    priority: int | None
    description: str | None
    resolved_addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedSet:
    """A set of a partition, with its destinations in the proxy's order of preference."""

    id: int
    destinations: tuple[ListedDestination, ...]


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of the dispatcher module, with its sets in the proxy's order; none where it is empty."""

    name: str
    sets: tuple[ListedSet, ...]


@dataclass(frozen=True, slots=True)
class DsList:
    """The answer to `ds_list`."""

    partitions: tuple[Partition, ...]
    round_trip_s: float

    def partition(self, name: str) -> Partition | None:
        """The partition of that name, None where the proxy has none."""
        return next((partition for partition in self.partitions if partition.name == name), None)


Cut: TypeAlias = Mapping[str, "Sequence[ListedDestination | JsonValue]"]
"""Destinations that were read beforehand, by the text that stands for them (efcp/mi/listing.py)."""


def parse_ds_list(reply: Reply, cut: Cut = MappingProxyType({})) -> DsList:
    """Read the result of `ds_list`, with `full` or without. Raises WrongShapeError."""
    partitions = Shape(reply.result).objects("PARTITIONS")
    return DsList(tuple(_partition(shape, cut) for shape in partitions), reply.round_trip_s)


def _partition(shape: Shape, cut: Cut) -> Partition:
    return Partition(shape.text("name"), tuple(_sets(shape, cut)))


def _sets(partition: Shape, cut: Cut) -> Iterator[ListedSet]:
    if not partition.has("SETS"):  # left out where the partition is empty
        return
    for shape in partition.objects("SETS"):
        yield ListedSet(shape.whole("id", INT_RANGE), tuple(_destinations(shape, cut)))


def _destinations(group: Shape, cut: Cut) -> Iterator[ListedDestination]:
    for item, place in group.values("Destinations"):
        if type(item) is not str or item not in cut:
            yield destination_of(Shape(item, place))
            continue
        for index, each in enumerate(cut[item]):
            # A malformed item has another shape: reading it once more shows which.
            yield (
                each
                if isinstance(each, ListedDestination)
                else destination_of(Shape(each, place.moved(index)))
            )


def destination_of(shape: Shape, same: Callable[[str], str] = str) -> ListedDestination:
    """Read one destination; `same` may give one string for equal ones. Raises WrongShapeError."""
    full = shape.has("weight")
    return ListedDestination(
        uri=shape.text("URI"),
        state=_state(shape),
        first_hit_counter=shape.whole("first_hit_counter", COUNT_RANGE)
        if shape.has("first_hit_counter")
        else None,
        socket=same(shape.text_or_empty("socket")),
        attrs=same(shape.text_or_empty("attr")),
        script_attrs=same(shape.text_or_empty("script_attr")),
        weight=shape.whole("weight", _UINT16) if full else None,
        priority=shape.whole("priority", _UINT16) if full else None,
        description=same(shape.text_or_empty("description")) if full else None,
        resolved_addresses=shape.texts("resolved_addresses"),
    )


def _state(shape: Shape) -> ListedState:
    state = _STATES.get(shape.text("state"))
    if state is None:
        raise shape.wrong("state", "Active, Inactive or Probing")
    return state


@dataclass(frozen=True, slots=True)
class TranslationReply:
    """What `dp_translate` returned for an input: the output, and the attributes of the rule that matched.

    Either may be empty. No match is no translation but a RefusedError (404 "No translation").
    """

    output: str
    attributes: str
    round_trip_s: float


@dataclass(frozen=True, slots=True)
class DialplanPartition:
    """A partition of the dialplan module, its table, and its database without the password."""

    name: str
    table: str
    db_url: str


@dataclass(frozen=True, slots=True)
class DialplanPartitions:
    """The answer to `dp_show_partition`."""

    partitions: tuple[DialplanPartition, ...]
    round_trip_s: float


def parse_translation(reply: Reply) -> TranslationReply:
    """Read the result of `dp_translate`. Raises WrongShapeError."""
    shape = Shape(reply.result)
    return TranslationReply(shape.text("Output"), shape.text("ATTRIBUTES"), reply.round_trip_s)


def parse_all_partitions(reply: Reply) -> DialplanPartitions:
    """Read the result of `dp_show_partition` without a name. Raises WrongShapeError."""
    partitions = tuple(
        DialplanPartition(shape.text("name"), shape.text("table"), shape.text("db_url"))
        for shape in Shape(reply.result).objects("Partitions")
    )
    return DialplanPartitions(partitions, reply.round_trip_s)


def parse_one_partition(reply: Reply) -> DialplanPartitions:
    """Read the result of `dp_show_partition` with a name, which has other keys. Raises WrongShapeError."""
    shape = Shape(reply.result)
    partition = DialplanPartition(shape.text("Partition"), shape.text("Table"), shape.text("db_url"))
    return DialplanPartitions((partition,), reply.round_trip_s)


_UNIX_TIMES = range(253402300800)  # up to the year 9999, the last that datetime knows

_LOADED = re.compile(r"([0-9]{1,18}) (destinations|rules) loaded \(([0-9]{1,18}) discarded\)\s*")
_SWITCHED = re.compile(
    r"DESTINATION <(.*)>, set (-?[0-9]{1,10}) switched to \[(active|inactive)\] due to (.*?)\s*", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class LoadCount:
    """How many rows a load took over (`loaded`) and dropped (`discarded`)."""

    loaded: int
    discarded: int


@dataclass(frozen=True, slots=True)
class StateSwitch:
    """A destination was switched on (`active`) or off: inactive or probing, the report does not say which."""

    uri: str
    set_id: int
    active: bool
    reason: str


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One report: when, to the second and in UTC, and its text."""

    at: datetime
    text: str

    def load_count(self) -> LoadCount | None:
        """What dispatcher says of destinations and dialplan of rules after a load, None for other reports."""
        found = _LOADED.fullmatch(self.text)
        return LoadCount(int(found[1]), int(found[3])) if found else None

    def state_switch(self) -> StateSwitch | None:
        """What dispatcher says of a destination's switch, None for other reports."""
        found = _SWITCHED.fullmatch(self.text)
        return StateSwitch(found[1], int(found[2]), found[3] == "active", found[4]) if found else None


@dataclass(frozen=True, slots=True)
class IdentifierReports:
    """The reports of one identifier, oldest first. Dispatcher's are a partition's name for loading, and that
    name with `;events` for states.
    """

    group: str
    identifier: str
    reports: tuple[StatusReport, ...]

    def last_load_count(self) -> LoadCount | None:
        """The newest count: that of the last load that succeeded, since a failed one reports none.

        None where there is none, or where it was pushed out.
        """
        counts = (report.load_count() for report in reversed(self.reports))
        return next((count for count in counts if count is not None), None)


@dataclass(frozen=True, slots=True)
class ReportList:
    """The answer to `sr_list_reports`."""

    identifiers: tuple[IdentifierReports, ...]
    round_trip_s: float

    def of(self, group: str, identifier: str) -> IdentifierReports | None:
        """The reports of one identifier, None where there is none of that name."""
        for reports in self.identifiers:
            if (reports.group, reports.identifier) == (group, identifier):
                return reports
        return None


def parse_reports(reply: Reply, group: str | None = None, identifier: str | None = None) -> ReportList:
    """Read the result of `sr_list_reports`, shaped by the request. Raises WrongShapeError."""
    return ReportList(tuple(_identifiers(reply.result, group, identifier)), reply.round_trip_s)


def _identifiers(result: JsonValue, group: str | None, identifier: str | None) -> Iterator[IdentifierReports]:
    if group is not None and identifier is not None:
        yield IdentifierReports(group, identifier, _reports(objects(result)))
    elif group is not None:
        yield from _of_group(group, objects(result))
    else:
        for shape in objects(result):
            yield from _of_group(shape.text("Name"), shape.objects("Identifiers"))


def _of_group(group: str, identifiers: Iterator[Shape]) -> Iterator[IdentifierReports]:
    for shape in identifiers:
        yield IdentifierReports(group, shape.text("Name"), _reports(shape.objects("Reports")))


def _reports(reports: Iterator[Shape]) -> tuple[StatusReport, ...]:
    return tuple(
        StatusReport(datetime.fromtimestamp(shape.whole("Timestamp", _UNIX_TIMES), UTC), shape.text("Log"))
        for shape in reports
    )
