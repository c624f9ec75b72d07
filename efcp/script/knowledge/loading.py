"""Reading what is known of a version from its file beside this one."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from efcp.releases import SUPPORTED
from efcp.script.knowledge.facts import (
    ArgumentType,
    Function,
    FunctionArgument,
    Knowledge,
    Module,
    Parameter,
    ParameterType,
    Prerequisite,
    Transformations,
    Variable,
)
from efcp.script.language.syntax import RouteKind

VERSIONS = tuple(map(str, SUPPORTED))
"""The versions that are described, oldest first."""

_Table = Mapping[str, Any]
_Groups = Mapping[str, Sequence[str]]
_VARIABLE_WORDS = ("bare", "named", "indexed", "freely", "writable")
_ANY_ROUTE = frozenset(RouteKind)
_MODULE = re.compile(r'^\[modules\.(?:"(?P<quoted>[^"]+)"|(?P<plain>[\w-]+))\]$', re.MULTILINE)


class _Modules(Mapping[str, Module]):
    """The modules of a version, each read when it is first asked for: a small script needs a few of them."""

    def __init__(self, texts: Mapping[str, str], groups: _Groups) -> None:
        self._texts = texts
        self._groups = groups
        self._read: dict[str, Module] = {}

    def __getitem__(self, name: str) -> Module:
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


def _module(name: str, facts: _Table, groups: _Groups) -> Module:
    return Module(
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


def _parameter(name: str, facts: str | _Table) -> Parameter:
    if isinstance(facts, str):
        return Parameter(name, ParameterType(facts))
    replaced_by, is_call = facts.get("replaced_by", ""), facts.get("call", False)
    return Parameter(name, ParameterType(facts["type"]), replaced_by, is_call)


def _functions(table: _Table) -> Mapping[str, Function]:
    return MappingProxyType({name: _function(name, facts) for name, facts in table.items()})


def _function(name: str, facts: _Table) -> Function:
    takes = tuple(_argument(word) for word in facts.get("takes", "").split())
    needed = [position for position, each in enumerate(takes, start=1) if not each.optional]
    at_least, at_most = facts.get("arguments", (max(needed, default=0), len(takes)))
    routes = facts.get("routes")
    return Function(
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


def _variables(table: Mapping[str, str]) -> Mapping[str, Variable]:
    return MappingProxyType({name: _variable(name, words.split()) for name, words in table.items()})


def _variable(name: str, words: Sequence[str]) -> Variable:
    return Variable(name, *(word in words for word in _VARIABLE_WORDS))


def _transformations(table: Mapping[str, Mapping[str, str]]) -> Transformations:
    return {
        kind: {name: tuple(takes.split()) for name, takes in names.items()} for kind, names in table.items()
    }


def _prerequisite(facts: _Table, groups: _Groups) -> Prerequisite:
    modules = groups[facts["group"]] if "group" in facts else facts["one_of"]
    return Prerequisite(tuple(modules), before=True, when=facts.get("when", ""))
