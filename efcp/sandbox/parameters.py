"""How MI matches a request's parameters to a command's recipes (mi/mi.c, mi/item.c)."""

from collections.abc import Mapping, Sequence

INVALID_PARAMS = (-32602, "Invalid params")

Recipe = tuple[str, ...]
"""The names of the parameters of one way to call a command, in their order."""


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


def match(recipes: Sequence[Recipe], given: object) -> dict[str, object]:
    """The parameters by name, by the recipe that fits; raise MiRefusalError where none does."""
    if not given:
        if () in recipes:
            return {}
        raise MiRefusalError(*INVALID_PARAMS, "Too few or too many parameters")
    if isinstance(given, list):
        return _by_position(recipes, given)
    if isinstance(given, Mapping):
        return _by_name(recipes, given)
    raise MiRefusalError(-32600, "Invalid Request")


def _by_position(recipes: Sequence[Recipe], given: list[object]) -> dict[str, object]:
    fitting = [recipe for recipe in recipes if len(recipe) == len(given)]
    if not fitting:
        raise MiRefusalError(*INVALID_PARAMS, "Too few or too many parameters")
    if len(fitting) > 1:
        raise MiRefusalError(*INVALID_PARAMS, "Ambiguous call, use named parameters instead")
    return dict(zip(fitting[0], given, strict=True))


def _by_name(recipes: Sequence[Recipe], given: Mapping[str, object]) -> dict[str, object]:
    fitting = [recipe for recipe in recipes if len(recipe) == len(given)]
    if not fitting:
        raise MiRefusalError(*INVALID_PARAMS, "Too few or too many parameters")
    for recipe in fitting:
        if set(recipe) <= set(given):
            return {name: given[name] for name in recipe}
    raise MiRefusalError(*INVALID_PARAMS, "Named parameters do not match")


def text(given: Mapping[str, object], name: str) -> str:
    """A parameter as text; a number counts as its digits."""
    value = given[name]
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise MiRefusalError(*INVALID_PARAMS, f"Bad type for parameter '{name}'")


def integer(given: Mapping[str, object], name: str) -> int:
    """A parameter as a number; digits in a text count."""
    value = text(given, name)
    try:
        return int(value)
    except ValueError:
        raise MiRefusalError(*INVALID_PARAMS, f"Bad type for parameter '{name}'") from None
