"""What is known of one version of OpenSIPS: its modules, variables, transformations and settings.

The facts themselves are data, one TOML file per version beside this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from efcp.releases import Release
from efcp.script.language.syntax import RouteKind


class ParameterType(StrEnum):
    """What a module parameter takes."""

    STRING = "string"
    INTEGER = "integer"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A module parameter. `replaced_by` is what to write instead where its name is an old one, else "".

    `is_call` is whether a function of the module takes the value: it may refuse it, or add it to others.
    """

    name: str
    type: ParameterType
    replaced_by: str = ""
    is_call: bool = False


class ArgumentType(StrEnum):
    """The class of a function's argument (CMD_PARAM_… in cmds.h)."""

    INTEGER = "int"
    """A number, or a bare variable."""
    STRING = "string"
    """A text in which variables are replaced, or a bare variable."""
    STATIC = "static"
    """A text without variables."""
    PLAIN = "plain"
    """A text whose $ mean nothing to the core, or a bare variable."""
    REGEX = "regex"
    """A regular expression, or a bare variable."""
    VARIABLE = "var"
    """A bare variable."""
    WRITABLE = "writable"
    """A bare variable that can be set."""
    AVP = "avp"
    """A bare $avp()."""
    SETTABLE = "settable"
    """A bare $avp() or $var()."""


@dataclass(frozen=True, slots=True)
class FunctionArgument:
    """One argument that a function takes."""

    type: ArgumentType
    optional: bool


@dataclass(frozen=True)
class Function:
    """A function that routes may call: with how many arguments (from, to), and in which kinds of routes.

    `takes` are its arguments; empty for the statements of the grammar, whose arguments the parser judges.
    `values` are what its fixup takes at a position (from 1): a word of the data, or flags.
    """

    name: str
    at_least: int
    at_most: int
    routes: frozenset[RouteKind]
    takes: tuple[FunctionArgument, ...] = ()
    values: Mapping[int, str | tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def integer_arguments(self) -> frozenset[int]:
        """The positions (from 1) that take a number only (or a variable)."""
        return frozenset(
            position
            for position, argument in enumerate(self.takes, start=1)
            if argument.type is ArgumentType.INTEGER
        )


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: whether it stands bare (`$ru`), takes a name (`$hdr(X)`), an index, and can be set.

    `is_free` is whether its index need not be a number.
    """

    name: str
    is_bare: bool
    is_named: bool
    is_indexed: bool
    is_free: bool
    is_writable: bool


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """Modules of which one must be loaded, before the module where `before`.

    `when` names the parameter that makes it necessary (the scheme of a `db_url` picks `db_mysql`), "" for
    always.
    """

    one_of: tuple[str, ...]
    before: bool
    when: str = ""


Transformations = Mapping[str, Mapping[str, tuple[str, ...]]]
"""By class (`s`) and name (`substr`) what each takes: `text`, `number`, with a ? where it may be left out."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module of one version. `source` says where the facts come from; `async_functions` are what async and
    launch may call; `partition_keys` what the definition of a partition may set."""

    name: str
    parameters: Mapping[str, Parameter]
    functions: Mapping[str, Function]
    async_functions: Mapping[str, Function]
    variables: Mapping[str, Variable]
    transformations: Transformations
    prerequisites: tuple[Prerequisite, ...]
    source: str
    partition_keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that is known of one version: `version` as "3.6"; `core_functions` need no module.

    `settings` are the global settings, with the forms of their values (the words of the data). A module
    outside of `modules` is not described, which is not the same as absent: `other_modules` are the names of
    those that the version ships besides. `words` are those that the language keeps for itself besides the
    settings: no route may be named so. `variable_names` are the names that some variables of the core take,
    in small letters.
    """

    version: str
    modules: Mapping[str, Module]
    core_functions: Mapping[str, Function]
    settings: Mapping[str, frozenset[str]]
    other_modules: frozenset[str]
    variables: Mapping[str, Variable]
    variable_names: Mapping[str, frozenset[str]]
    transformations: Transformations
    words: frozenset[str] = field(default_factory=frozenset)

    @property
    def release(self) -> Release:
        """The release of that version."""
        return Release.of(self.version)
