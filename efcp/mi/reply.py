"""What every usable reply has."""

from dataclasses import dataclass

from efcp.mi.shape import JsonValue


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
