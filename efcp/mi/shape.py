"""Reading JSON strictly: a value of another type or range than the command's result has is an error."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from efcp.mi.errors import WrongShapeError

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

INT_RANGE = range(-(2**31), 2**31)
"""A C int, as of a set's id."""

COUNT_RANGE = range(2**63)
"""Any number that counts something."""

_TYPE_NAMES = {
    type(None): "null or missing",
    int: "a whole number that is out of place",
    bool: "true or false",
    float: "a number with a fraction",
    str: "a text",
    list: "a list",
    dict: "an object",
}


class Place(NamedTuple):
    """Where in a reply a value stands; as text, such as `result.PARTITIONS[0].name`."""

    label: str | int = "result"
    parent: "Place | None" = None

    def moved(self, by: int) -> "Place":
        """The place so many items behind this one."""
        return Place(self.label + by, self.parent) if isinstance(self.label, int) else self

    def __str__(self) -> str:
        if self.parent is None:
            return str(self.label)
        return (
            f"{self.parent}[{self.label}]" if isinstance(self.label, int) else f"{self.parent}.{self.label}"
        )


RESULT = Place()


class Shape:
    """An object of a reply. Each method raises WrongShapeError for a member that is not as asked for.

    Members that nobody asks for are left alone: a newer version may add some.
    """

    __slots__ = ("_members", "_place")

    def __init__(self, value: JsonValue, place: Place = RESULT) -> None:
        if type(value) is not dict:
            raise wrong(place, "an object", value)
        self._members = value
        self._place = place

    def text(self, name: str) -> str:
        """A text that must be there."""
        value = self._members.get(name)
        if type(value) is not str:
            raise self.wrong(name, "a text")
        return value

    def text_or_empty(self, name: str) -> str:
        """A text that is left out where it is empty."""
        value = self._members.get(name, "")
        if type(value) is not str:
            raise self.wrong(name, "a text")
        return value

    def whole(self, name: str, allowed: range) -> int:
        """A whole number in `allowed`."""
        value = self._members.get(name)
        if type(value) is not int or value not in allowed:
            raise self.wrong(name, f"a whole number from {allowed.start} to {allowed.stop - 1}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        return texts(self._members.get(name), Place(name, self._place))

    def objects(self, name: str) -> "Iterator[Shape]":
        """A list of objects."""
        return objects(self._members.get(name), Place(name, self._place))

    def values(self, name: str) -> "Iterator[tuple[JsonValue, Place]]":
        """A list of anything, each with its place."""
        value, place = self._members.get(name), Place(name, self._place)
        if type(value) is not list:
            raise wrong(place, "a list", value)
        return ((item, Place(index, place)) for index, item in enumerate(value))

    def has(self, name: str) -> bool:
        """Whether there is such a member."""
        return name in self._members

    def wrong(self, name: str, expected: str) -> WrongShapeError:
        """The error for the member `name`, which is missing or not `expected`."""
        place = Place(name, self._place)
        return wrong(place, expected, self._members.get(name))


def objects(value: JsonValue, place: Place = RESULT) -> Iterator[Shape]:
    """`value` as a list of objects."""
    if type(value) is not list:
        raise wrong(place, "a list", value)
    return (Shape(item, Place(index, place)) for index, item in enumerate(value))


def texts(value: JsonValue, place: Place = RESULT) -> tuple[str, ...]:
    """`value` as a list of texts."""
    if type(value) is not list:
        raise wrong(place, "a list", value)
    found = []
    for index, item in enumerate(value):
        if type(item) is not str:
            raise wrong(Place(index, place), "a text", item)
        found.append(item)
    return tuple(found)


def require_ok(value: JsonValue) -> None:
    """Raise WrongShapeError unless `value` is the plain OK of commands that return nothing."""
    if value != "OK":
        raise wrong(RESULT, "the text “OK”", value)


def wrong(place: Place, expected: str, value: JsonValue) -> WrongShapeError:
    """The error for `value`, which is not `expected`: it is told what kind it is, never itself."""
    return WrongShapeError(str(place), expected, f"it is {_TYPE_NAMES[type(value)]}")
