"""What is known of one release of OpenSIPS: its modules, variables, transformations and settings.

The facts themselves are data, one TOML file per release beside this one.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from efcp.releases import SUPPORTED, Release
from efcp.script.language.syntax import RouteKind


class ParameterType(StrEnum):
    """What a module parameter takes."""

    STRING = "string"
    INTEGER = "integer"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class ParameterFacts:
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
class FunctionFacts:
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


@dataclass(frozen=True, slots=True)
class VariableFacts:
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
class ModuleFacts:
    """A module of one version. `source` says where the facts come from; `async_functions` are what async and
    launch may call; `partition_keys` what the definition of a partition may set."""

    name: str
    parameters: Mapping[str, ParameterFacts]
    functions: Mapping[str, FunctionFacts]
    async_functions: Mapping[str, FunctionFacts]
    variables: Mapping[str, VariableFacts]
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
    modules: Mapping[str, ModuleFacts]
    core_functions: Mapping[str, FunctionFacts]
    settings: Mapping[str, frozenset[str]]
    other_modules: frozenset[str]
    variables: Mapping[str, VariableFacts]
    variable_names: Mapping[str, frozenset[str]]
    transformations: Transformations
    words: frozenset[str] = field(default_factory=frozenset)

    @property
    def release(self) -> Release:
        """The release of that version."""
        return Release.of(self.version)


VERSIONS = tuple(map(str, SUPPORTED))
"""The versions that are described, oldest first."""

_Table = Mapping[str, Any]
_Groups = Mapping[str, Sequence[str]]
_VARIABLE_WORDS = ("bare", "named", "indexed", "freely", "writable")
_ANY_ROUTE = frozenset(RouteKind)
_MODULE = re.compile(r'^\[modules\.(?:"(?P<quoted>[^"]+)"|(?P<plain>[\w-]+))\]$', re.MULTILINE)


class _Modules(Mapping[str, ModuleFacts]):
    """The modules of a version, each read when it is first asked for: a small script needs a few of them."""

    def __init__(self, texts: Mapping[str, str], groups: _Groups) -> None:
        self._texts = texts
        self._groups = groups
        self._read: dict[str, ModuleFacts] = {}

    def __getitem__(self, name: str) -> ModuleFacts:
        if name not in self._read:
            facts = tomllib.loads(self._texts[name])["modules"][name]
            self._read[name] = _module(name, facts, self._groups)
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


@cache
def knowledge_of(version: str) -> Knowledge:
    """All that is known of a version, "3.6" say. Read once.

    Raises ValueError for a version that is not among VERSIONS.
    """
    if version not in VERSIONS:
        raise ValueError(f"OpenSIPS {version} is not described; described are {', '.join(VERSIONS)}.")
    core, modules = _parts(Path(__file__).with_name(f"{version}.toml").read_text(encoding="utf-8"))
    table = tomllib.loads(core)
    return Knowledge(
        version=table["version"],
        modules=_Modules(modules, table["groups"]),
        core_functions=_functions(table["core_functions"]),
        settings=MappingProxyType({name: frozenset(it.split()) for name, it in table["settings"].items()}),
        other_modules=frozenset(table["language"]["other_modules"]),
        variables=_variables(table["variables"]),
        variable_names=MappingProxyType(
            {name: frozenset(it) for name, it in table["variable_names"].items()}
        ),
        transformations=_transformations(table["transformations"]),
        words=frozenset(table["language"]["words"]),
    )


@cache
def renamed() -> Mapping[str, Mapping[str, str]]:
    """What to write instead of names that no version described has any more: by kind, then by old name."""
    table: Mapping[str, Mapping[str, str]] = tomllib.loads(
        Path(__file__).with_name("renamed.toml").read_text(encoding="utf-8")
    )
    return table


def _parts(text: str) -> tuple[str, dict[str, str]]:
    """The text of a file before the first module, and the text of each module."""
    heads = list(_MODULE.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    modules = {
        head["quoted"] or head["plain"]: text[head.start() : end]
        for head, end in zip(heads, ends, strict=True)
    }
    return text[: heads[0].start()], modules


def _module(name: str, facts: _Table, groups: _Groups) -> ModuleFacts:
    return ModuleFacts(
        name=name,
        parameters=MappingProxyType(
            {key: _parameter(key, it) for key, it in facts.get("parameters", {}).items()}
        ),
        functions=_functions(facts.get("functions", {})),
        async_functions=_functions(facts.get("async", {})),
        variables=_variables(facts.get("variables", {})),
        transformations=_transformations(facts.get("transformations", {})),
        prerequisites=tuple(_prerequisite(it, groups) for it in facts.get("requires", ())),
        source=facts["source"],
        partition_keys=frozenset(facts.get("partition_keys", ())),
    )


def _parameter(name: str, facts: str | _Table) -> ParameterFacts:
    if isinstance(facts, str):
        return ParameterFacts(name, ParameterType(facts))
    replaced_by, is_call = facts.get("replaced_by", ""), facts.get("call", False)
    return ParameterFacts(name, ParameterType(facts["type"]), replaced_by, is_call)


def _functions(table: _Table) -> Mapping[str, FunctionFacts]:
    return MappingProxyType({name: _function(name, facts) for name, facts in table.items()})


def _function(name: str, facts: _Table) -> FunctionFacts:
    takes = tuple(_argument(word) for word in facts.get("takes", "").split())
    needed = [position for position, each in enumerate(takes, start=1) if not each.optional]
    at_least, at_most = facts.get("arguments", (max(needed, default=0), len(takes)))
    routes = facts.get("routes")
    return FunctionFacts(
        name=name,
        at_least=at_least,
        at_most=at_most,
        routes=_ANY_ROUTE if routes is None else frozenset(map(RouteKind, routes)),
        takes=takes,
        values={
            int(position): it if isinstance(it, str) else tuple(it)
            for position, it in facts.get("values", {}).items()
        },
    )


def _argument(word: str) -> FunctionArgument:
    return FunctionArgument(ArgumentType(word.removesuffix("?")), optional=word.endswith("?"))


def _variables(table: Mapping[str, str]) -> Mapping[str, VariableFacts]:
    return MappingProxyType({name: _variable(name, words.split()) for name, words in table.items()})


def _variable(name: str, words: Sequence[str]) -> VariableFacts:
    return VariableFacts(name, *(word in words for word in _VARIABLE_WORDS))


def _transformations(table: Mapping[str, Mapping[str, str]]) -> Transformations:
    return {
        kind: {name: tuple(takes.split()) for name, takes in names.items()} for kind, names in table.items()
    }


def _prerequisite(facts: _Table, groups: _Groups) -> Prerequisite:
    modules = groups[facts["group"]] if "group" in facts else facts["one_of"]
    return Prerequisite(tuple(modules), before=True, when=facts.get("when", ""))
