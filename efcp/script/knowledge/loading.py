"""Reading what is known of a version from its file beside this one."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from efcp.script.knowledge.facts import Function, Knowledge, Module, Parameter, ParameterType, Prerequisite
from efcp.script.language.syntax import RouteKind

VERSIONS: tuple[str, ...] = ("3.4", "3.6", "4.0")
"""The versions that are described, oldest first."""

_Table = Mapping[str, Any]
_Groups = Mapping[str, Sequence[str]]
_ANY_ROUTE = frozenset(RouteKind)


@cache
def knowledge_of(version: str) -> Knowledge:
    """All that is known of a version, "3.4" say. Read once.

    Raises ValueError for a version that is not among VERSIONS.
    """
    if version not in VERSIONS:
        raise ValueError(f"OpenSIPS {version} is not described; described are {', '.join(VERSIONS)}.")
    table = tomllib.loads(Path(__file__).with_name(f"{version}.toml").read_text(encoding="utf-8"))
    groups: _Groups = table["groups"]
    return Knowledge(
        version=table["version"],
        modules=MappingProxyType(
            {name: _module(name, facts, groups) for name, facts in table["modules"].items()}
        ),
        core_functions=_functions(table["core_functions"]),
        settings=frozenset(table["settings"]),
        other_modules=frozenset(table["other_modules"]),
        words=frozenset(table["words"]),
    )


def _module(name: str, facts: _Table, groups: _Groups) -> Module:
    return Module(
        name=name,
        parameters=MappingProxyType(
            {key: _parameter(key, it) for key, it in facts.get("parameters", {}).items()}
        ),
        functions=_functions(facts.get("functions", {})),
        prerequisites=tuple(_prerequisite(it, groups) for it in facts.get("requires", ())),
        source=facts["source"],
    )


def _parameter(name: str, facts: str | _Table) -> Parameter:
    if isinstance(facts, str):
        return Parameter(name, ParameterType(facts))
    return Parameter(name, ParameterType(facts["type"]), facts.get("replaced_by", ""))


def _functions(table: _Table) -> Mapping[str, Function]:
    return MappingProxyType({name: _function(name, facts) for name, facts in table.items()})


def _function(name: str, facts: _Table) -> Function:
    at_least, at_most = facts["arguments"]
    routes = facts.get("routes")
    return Function(
        name=name,
        at_least=at_least,
        at_most=at_most,
        routes=_ANY_ROUTE if routes is None else frozenset(map(RouteKind, routes)),
        integer_arguments=frozenset(facts.get("integers", ())),
    )


def _prerequisite(facts: _Table, groups: _Groups) -> Prerequisite:
    modules = groups[facts["group"]] if "group" in facts else facts["one_of"]
    return Prerequisite(tuple(modules), before=True, when=facts.get("when", ""))
