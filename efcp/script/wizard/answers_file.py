"""Answers read from a TOML file: names are those of its fields, and whatever is none is told."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, get_args, get_type_hints

from efcp.script.writing.answers import Answers, Dialplan, Group


class AnswersFileError(Exception):
    """The file is no answers: the message says what and where."""


def read_answers(text: str) -> Answers:
    """The answers in a TOML text; what it leaves out is as in the guide. Raises AnswersFileError."""
    try:
        answers: Answers = _read(Answers, tomllib.loads(text), "")
    except tomllib.TOMLDecodeError as error:
        raise AnswersFileError(f"This is no TOML: {error}") from None
    return answers


def _read(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    types = get_type_hints(kind)
    for name in values:
        if name not in types:
            known = ", ".join(field.name for field in fields(kind))
            raise AnswersFileError(f"{where}{name}: there is no such answer. There are {known}.")
    missing = [name for name in ("dpid",) if kind is Dialplan and name not in values]
    if missing:
        raise AnswersFileError(f"{where}{missing[0]} is missing.")
    return kind(**{name: _value(types[name], value, f"{where}{name}") for name, value in values.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    if kind in (Answers, Group, Dialplan) and isinstance(value, dict):
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
    raise AnswersFileError(f"{where}: {value!r} is not what is asked for there.")
