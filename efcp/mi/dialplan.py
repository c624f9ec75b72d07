"""The dialplan module's `dp_translate` and `dp_show_partition`."""

from dataclasses import dataclass

from efcp.mi.reply import Reply
from efcp.mi.shape import Shape


@dataclass(frozen=True, slots=True)
class Translation:
    """What `dp_translate` made of an input: the output, and the attributes of the rule that matched.

    Either may be empty. No match is no Translation but a RefusedError (404 "No translation").
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


def parse_translation(reply: Reply) -> Translation:
    """Read the result of `dp_translate`. Raises WrongShapeError."""
    shape = Shape(reply.result)
    return Translation(shape.text("Output"), shape.text("ATTRIBUTES"), reply.round_trip_s)


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
