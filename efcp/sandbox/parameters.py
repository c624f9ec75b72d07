"""How MI matches a request's parameters to a command's recipes, and reads them (mi/mi.c, mi/item.c)."""

import re
from collections.abc import Mapping, Sequence

INVALID_PARAMS = (-32602, "Invalid params")
_INTEGER = re.compile(r"[+-]?[0-9]*", re.ASCII)

Recipe = tuple[str, ...]
"""The names of the parameters of one way to call a command, in their order."""
Given = Mapping[str, object]
"""A call's parameters by name."""


class MiRefusalError(Exception):
    """An error object in the place of a result."""

    def __init__(self, code: int, message: str, data: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_object(self) -> dict[str, object]:
        """The `error` of the reply."""
        told: dict[str, object] = {"code": self.code, "message": self.message}
        return told | {"data": self.data} if self.data else told


def match(recipes: Sequence[Recipe], given: Mapping[str, object] | list[object] | None) -> Given:
    """The parameters by name, by the recipe that fits; raise MiRefusalError where none does.

    Empty parameters count as none. Named ones have to be as many as a recipe has, and hold all its names.
    """
    if not given:
        if () in recipes:
            return {}
        raise MiRefusalError(*INVALID_PARAMS, "Too few or too many parameters")
    fitting = [recipe for recipe in recipes if len(recipe) == len(given)]
    if not fitting:
        raise MiRefusalError(*INVALID_PARAMS, "Too few or too many parameters")
    if isinstance(given, list):
        if len(fitting) > 1:
            raise MiRefusalError(*INVALID_PARAMS, "Ambiguous call, use named parameters instead")
        return dict(zip(fitting[0], given, strict=True))
    if not any(set(recipe) <= set(given) for recipe in fitting):
        raise MiRefusalError(*INVALID_PARAMS, "Named parameters do not match")
    return given


def text(given: Given, name: str) -> str:
    """A parameter as text; a number counts as its digits. Raise MiRefusalError for any other type."""
    value = given[name]
    return value if isinstance(value, str) else str(_number(value, name))


def optional_text(given: Given, name: str) -> str | None:
    """A parameter as text; None where there is none, and where it is of another type."""
    value = given.get(name)
    is_text = isinstance(value, str | int | float) and not isinstance(value, bool)
    return text(given, name) if is_text else None


def integer(given: Given, name: str) -> int:
    """A parameter as a number of 32 bits; digits in a text count. Raise MiRefusalError for anything else."""
    value = given[name]
    if not isinstance(value, str):
        return _number(value, name)
    number = read_integer(value)
    if number is None:
        raise _bad_type(name)
    return number


def yes_or_no(given: Given, name: str, *, default: bool) -> bool:
    """A parameter of one letter or digit; anything else, also no parameter at all, is the default."""
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return default
    return {"0": False, "n": False, "1": True, "y": True}.get(str(value).lower(), default)


def texts(given: Given, name: str) -> list[str]:
    """A parameter as a list of texts that is not empty; raise MiRefusalError for anything else."""
    value = given[name]
    if not isinstance(value, list):
        raise _bad_type(name)
    if not value:
        raise MiRefusalError(*INVALID_PARAMS, f"Empty array in parameter '{name}'")
    if not all(isinstance(each, str | int | float) and not isinstance(each, bool) for each in value):
        raise MiRefusalError(*INVALID_PARAMS, f"Bad type for array item in parameter '{name}'")
    return [str(each) for each in value]


def read_integer(digits: str) -> int | None:
    """The number of 32 bits in a text, None where it is none; a sign without digits is 0 (str2sint)."""
    if not digits or not _INTEGER.fullmatch(digits):
        return None
    # Python reads no more than 4,300 digits; what stands before the last 40 is beyond 32 bits anyway.
    number = int(digits.lstrip("+-")[-40:] or "0")
    return _wrapped(-number if digits.startswith("-") else number)


def whole(number: float) -> int:
    """The whole number of 32 bits that the proxy takes a JSON number for."""
    return int(max(-(1 << 31), min(number, (1 << 31) - 1)))


def _number(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad_type(name)
    return whole(value)


def _wrapped(number: int) -> int:
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def _bad_type(name: str) -> MiRefusalError:
    return MiRefusalError(*INVALID_PARAMS, f"Bad type for parameter '{name}'")
