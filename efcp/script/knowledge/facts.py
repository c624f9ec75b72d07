"""What a version of OpenSIPS knows: its modules with their parameters, functions and prerequisites.

The facts themselves are data, one TOML file per version beside this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from efcp.script.language.syntax import RouteKind


class ParameterType(StrEnum):
    """What a module parameter takes."""

    STRING = "string"
    INTEGER = "integer"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A module parameter. `replaced_by` is what to write instead where its name is an old one, else ""."""

    name: str
    type: ParameterType
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that routes may call: with how many arguments (from, to), and in which kinds of routes.

    `integer_arguments` are the positions (from 1) that take a number only (or a variable).
    """

    name: str
    at_least: int
    at_most: int
    routes: frozenset[RouteKind]
    integer_arguments: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """Modules of which one must be loaded, before the module where `before`.

    `when` names the parameter that makes it necessary (the scheme of a `db_url` picks `db_mysql`), "" for
    always.
    """

    one_of: tuple[str, ...]
    before: bool
    when: str = ""


@dataclass(frozen=True, slots=True)
class Module:
    """A module of one version. `source` says where the facts come from."""

    name: str
    parameters: Mapping[str, Parameter]
    functions: Mapping[str, Function]
    prerequisites: tuple[Prerequisite, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that is known of one version: `version` as "3.4"; `core_functions` need no module.

    `settings` are the global settings. A module outside of `modules` is not described, which is not the same
    as absent: `other_modules` are the names of those that the version ships besides. `words` are those that
    the language keeps for itself besides the settings: no route may be named so.
    """

    version: str
    modules: Mapping[str, Module]
    core_functions: Mapping[str, Function]
    settings: frozenset[str]
    other_modules: frozenset[str]
    words: frozenset[str] = field(default_factory=frozenset)
