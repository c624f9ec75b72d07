"""The dispatcher module's `ds_list`: which destinations a proxy holds, and in which state."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

from efcp.mi.reply import Reply
from efcp.mi.shape import COUNT_RANGE, INT_RANGE, JsonValue, Shape

_UINT16 = range(2**16)


class DestinationState(Enum):
    """A destination's state, by ds_list's own word. Its first letter in lower case is ds_set_state's."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    PROBING = "Probing"


_STATES = {state.value: state for state in DestinationState}


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination in a proxy's memory.

    Texts that a reply leaves out are empty. `weight`, `priority` and `description` are None where the list
    was asked for without `full`. `first_hit_counter` counts first choices since the last reload.
    `resolved_addresses` are `address:port`; port 0 stands for a transport that the proxy has not loaded.
    """

    uri: str
    state: DestinationState
    first_hit_counter: int
    socket: str
    attrs: str
    script_attrs: str
    weight: int | None
    priority: int | None
    description: str | None
    resolved_addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DestinationSet:
    """A set of a partition, with its destinations in the proxy's order of preference."""

    id: int
    destinations: tuple[Destination, ...]


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of the dispatcher module, with its sets in the proxy's order; none where it is empty."""

    name: str
    sets: tuple[DestinationSet, ...]


@dataclass(frozen=True, slots=True)
class DsList:
    """The answer to `ds_list`."""

    partitions: tuple[Partition, ...]
    round_trip_s: float

    def partition(self, name: str) -> Partition | None:
        """The partition of that name, None where the proxy has none."""
        return next((partition for partition in self.partitions if partition.name == name), None)


Cut: TypeAlias = Mapping[str, "Sequence[Destination | JsonValue]"]
"""Destinations that were read beforehand, by the text that stands for them (efcp/mi/listing.py)."""


def parse_ds_list(reply: Reply, cut: Cut = MappingProxyType({})) -> DsList:
    """Read the result of `ds_list`, with `full` or without. Raises WrongShapeError."""
    partitions = Shape(reply.result).objects("PARTITIONS")
    return DsList(tuple(_partition(shape, cut) for shape in partitions), reply.round_trip_s)


def _partition(shape: Shape, cut: Cut) -> Partition:
    return Partition(shape.text("name"), tuple(_sets(shape, cut)))


def _sets(partition: Shape, cut: Cut) -> Iterator[DestinationSet]:
    if not partition.has("SETS"):  # left out where the partition is empty
        return
    for shape in partition.objects("SETS"):
        yield DestinationSet(shape.whole("id", INT_RANGE), tuple(_destinations(shape, cut)))


def _destinations(group: Shape, cut: Cut) -> Iterator[Destination]:
    for item, place in group.values("Destinations"):
        if type(item) is not str or item not in cut:
            yield destination_of(Shape(item, place))
            continue
        for index, each in enumerate(cut[item]):
            # What is none yet has another shape: reading it once more tells which.
            yield each if isinstance(each, Destination) else destination_of(Shape(each, place.moved(index)))


def destination_of(shape: Shape, same: Callable[[str], str] = str) -> Destination:
    """Read one destination; `same` may give one string for equal ones. Raises WrongShapeError."""
    full = shape.has("weight")
    return Destination(
        uri=shape.text("URI"),
        state=_state(shape),
        first_hit_counter=shape.whole("first_hit_counter", COUNT_RANGE),
        socket=same(shape.text_or_empty("socket")),
        attrs=same(shape.text_or_empty("attr")),
        script_attrs=same(shape.text_or_empty("script_attr")),
        weight=shape.whole("weight", _UINT16) if full else None,
        priority=shape.whole("priority", _UINT16) if full else None,
        description=same(shape.text_or_empty("description")) if full else None,
        resolved_addresses=shape.texts("resolved_addresses"),
    )


def _state(shape: Shape) -> DestinationState:
    state = _STATES.get(shape.text("state"))
    if state is None:
        raise shape.wrong("state", "Active, Inactive or Probing")
    return state
