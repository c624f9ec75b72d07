"""A script as the checks look at it: calls with their routes, modules, parameters, found in one pass."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property

from efcp.script.findings import Location
from efcp.script.knowledge.facts import FunctionFacts, Knowledge
from efcp.script.language.syntax import (
    ArgumentKind,
    Assign,
    Block,
    Call,
    Expression,
    LoadModule,
    ModuleParameter,
    Not,
    Resume,
    RouteBlock,
    RouteKind,
    Script,
    Statement,
    Switch,
    Term,
    blocks_of,
    expressions_of,
    leaves_in,
    resumes,
)
from efcp.script.language.syntax import Binary as Operation

RouteKey = tuple[RouteKind, str]
"""A route by its kind and name."""


def key_of(route: RouteBlock) -> RouteKey:
    """How a route is called."""
    return (route.kind, route.name)


class Graph:
    """Edges between routes."""

    def __init__(self, edges: Mapping[RouteKey, Set[RouteKey]]) -> None:
        self._edges = edges

    def reached(self, starts: Iterable[RouteKey]) -> frozenset[RouteKey]:
        """The starts, and all that they lead to."""
        found = set(starts)
        waiting = deque(found)
        while waiting:
            for following in self._edges.get(waiting.popleft(), ()):
                if following not in found:
                    found.add(following)
                    waiting.append(following)
        return frozenset(found)

    def reversed(self) -> "Graph":
        """The same edges the other way: reached() then gives all that lead to the starts."""
        edges: dict[RouteKey, set[RouteKey]] = {}
        for start, ends in self._edges.items():
            for end in ends:
                edges.setdefault(end, set()).add(start)
        return Graph(edges)

    def joined(self, more: Mapping[RouteKey, Set[RouteKey]]) -> "Graph":
        """This graph with more edges."""
        edges = {start: set(ends) for start, ends in self._edges.items()}
        for start, ends in more.items():
            edges.setdefault(start, set()).update(ends)
        return Graph(edges)


@dataclass(frozen=True, slots=True)
class SetFacts:
    """One set of the dispatcher table: its rows, how many are not inactive (state other than 1), its name."""

    rows: int
    selectable: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """The tables as they stand.

    `sets` by set id, `dialplans` the dpids with how many rules each has; `rows` and `bytes` are the size of
    the dispatcher table (bytes of all its text columns). `database` is the panel's own as (host, port, name),
    None where it is not MySQL. `proxies` is how many proxies read these tables; `shared_memory` and
    `private_memory` are with how many megabytes of each they are started (-m and -M); `listens` whether they
    are given a listener there (-l). A field that is None was not asked about, and no check may speak of it.
    """

    sets: Mapping[int, SetFacts] | None = None
    dialplans: Mapping[int, int] | None = None
    rows: int | None = None
    bytes: int | None = None
    database: tuple[str, int, str] | None = None
    partitions: frozenset[str] = field(default_factory=lambda: frozenset({"default"}))
    proxies: int | None = None
    shared_memory: int | None = None
    private_memory: int | None = None
    listens: bool = False


_MAXIMUM_LENGTH = 100
_MAXIMUM_WILDCARDS = 3
_MAXIMUM_NAMES = 1_000
_SIMPLE = re.compile(r"[\w.|*+-]+", re.ASCII)


def is_plain(parameter: ModuleParameter) -> bool:
    """Whether the modules are named one by one."""
    return all(re.fullmatch(r"[\w-]+", name, re.ASCII) for name in parameter.modules)


def matching(parameter: ModuleParameter, names: Mapping[str, str]) -> tuple[str, ...] | None:
    """Those of the names that the parameter is for; None where its pattern is too intricate to say.

    `names` are by what they are in small letters.
    """
    if is_plain(parameter):
        expected = dict.fromkeys(name.lower() for name in parameter.modules)
        return tuple(names[name] for name in expected if name in names)
    pattern = _without_frame(parameter.pattern)
    if not _is_simple(pattern) or len(names) > _MAXIMUM_NAMES:
        return None
    compiled = re.compile(f"(?:{pattern})", re.IGNORECASE | re.ASCII)
    return tuple(name for name in names.values() if compiled.fullmatch(name))


def _without_frame(pattern: str) -> str:
    """The pattern without anchors around an alternative, which change nothing."""
    return "|".join(each.removeprefix("^").removesuffix("$") for each in pattern.split("|"))


def _is_simple(pattern: str) -> bool:
    """Few wildcards, none within another: what can be matched in a time that is short for sure."""
    if len(pattern) > _MAXIMUM_LENGTH or not _SIMPLE.fullmatch(pattern):
        return False
    if pattern.count("*") + pattern.count("+") > _MAXIMUM_WILDCARDS:
        return False
    return not re.search(r"(?:^|\||[*+])[*+]", pattern)


_RESULT_VARIABLES = frozenset({"$rc", "$retcode"})
_UNREAD = frozenset(
    {
        "binary",
        "include-circle",
        "include-missing",
        "include-not-read",
        "include-outside",
        "nested-too-deep",
        "too-large",
    }
)
"""What reading says where something of the script is not at hand."""


@dataclass(frozen=True, slots=True)
class Site:
    """A call in its route. `tested` is whether something asks for its result; `later` whether it is one of
    async or launch, which have functions of their own; `kept_in` the variable that its result is assigned
    to."""

    call: Call
    route: RouteBlock
    tested: bool
    later: bool = False
    kept_in: str = ""

    @property
    def place(self) -> Location:
        """Where the call stands."""
        return self.call.place

    def text(self, position: int) -> str | None:
        """The argument at a position (from 0) where it is a constant; "" where it is left out."""
        if position >= len(self.call.arguments):
            return ""
        argument = self.call.arguments[position]
        if argument.kind is ArgumentKind.NONE:
            return ""
        if argument.kind is ArgumentKind.VARIABLE or "$" in argument.text:
            return None
        return argument.text

    def number(self, position: int) -> int | None:
        """The argument at a position (from 0) where it is a number."""
        if position >= len(self.call.arguments):
            return None
        argument = self.call.arguments[position]
        if argument.kind is not ArgumentKind.NUMBER:
            return None
        try:
            return int(argument.text.replace(" ", ""))
        except ValueError:
            return None


@dataclass(frozen=True)
class Overview:
    """A script, what is known of its version, and the tables."""

    script: Script
    knowledge: Knowledge
    tables: TableFacts

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Every call, in the order of the text."""
        return tuple(site for route in self.script.routes for site in _in_block(route, route.body))

    @cached_property
    def resumes(self) -> tuple[tuple[RouteBlock, Resume], ...]:
        """Every async and launch with its route."""
        return tuple((route, found) for route in self.script.routes for found in resumes(route.body))

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[Site, ...]]:
        found: dict[str, list[Site]] = {}
        for site in self.sites:
            found.setdefault(site.call.name, []).append(site)
        return {name: tuple(sites) for name, sites in found.items()}

    def named(self, *names: str) -> Iterator[Site]:
        """The calls of these functions, one function after the other."""
        for name in names:
            yield from self._by_name.get(name, ())

    @property
    def function_names(self) -> Mapping[str, tuple[Site, ...]]:
        """What is called, in the order of first use, with every place."""
        return self._by_name

    @cached_property
    def loaded(self) -> Mapping[str, LoadModule]:
        """The modules loaded, by name, in order: the first time of each."""
        found: dict[str, LoadModule] = {}
        for module in self.script.modules:
            found.setdefault(module.name, module)
        return found

    @cached_property
    def loaded_in_small(self) -> Mapping[str, str]:
        """The names of the modules loaded, by what they are in small letters."""
        return {name.lower(): name for name in self.loaded}

    @cached_property
    def _described_in_small(self) -> Mapping[str, str]:
        return {name.lower(): name for name in self.knowledge.modules}

    def described(self, parameter: ModuleParameter) -> tuple[str, ...]:
        """The modules that a parameter is for, of those that are described."""
        return matching(parameter, self._described_in_small) or ()

    @cached_property
    def order(self) -> Mapping[int, int]:
        """The position of an item among all items, by its identity: with includes, places are ambiguous."""
        return {id(item): position for position, item in enumerate(self.script.items)}

    @cached_property
    def _parameters(self) -> Mapping[tuple[str, str], tuple[ModuleParameter, ...]]:
        found: dict[tuple[str, str], list[ModuleParameter]] = {}
        for parameter in self.script.parameters:
            for module in self.described(parameter):
                found.setdefault((module, parameter.name), []).append(parameter)
        return {key: tuple(values) for key, values in found.items()}

    def parameters_of(self, module: str, name: str) -> tuple[ModuleParameter, ...]:
        """Every time that a parameter of a module is set."""
        return self._parameters.get((module, name), ())

    def parameter(self, module: str, *names: str) -> ModuleParameter | None:
        """What a parameter is set to, by any of its names: the last one counts. None where it isn't set."""
        found = [each for name in names for each in self.parameters_of(module, name)]
        return max(found, key=lambda each: self.order[id(each)], default=None)

    def value(self, module: str, *names: str) -> str | int | None:
        """The value of a parameter; None where it isn't set."""
        parameter = self.parameter(module, *names)
        return parameter.value if parameter else None

    @cached_property
    def main(self) -> RouteBlock | None:
        """The main route, where every request enters."""
        found = (it for it in self.script.routes if it.kind is RouteKind.REQUEST and not it.name)
        return next(found, None)

    @cached_property
    def is_whole(self) -> bool:
        """Whether all of the script is at hand, so that what is missing here is missing at all."""
        unread = any(finding.code in _UNREAD for finding in self.script.findings)
        return self.main is not None and not unread

    @property
    def is_understood(self) -> bool:
        """Whether the script is whole and each of its statements was understood."""
        return self.is_whole and not self.script.skipped

    @cached_property
    def loads_undescribed(self) -> bool:
        """Whether a module is loaded that the version ships and of which nothing is described."""
        return not self.knowledge.other_modules.isdisjoint(self.loaded)

    @cached_property
    def routes(self) -> Mapping[RouteKey, RouteBlock]:
        """The routes by kind and name: the first of each."""
        found: dict[RouteKey, RouteBlock] = {}
        for route in self.script.routes:
            found.setdefault(key_of(route), route)
        return found

    @cached_property
    def graph(self) -> Graph:
        """Which route calls which."""
        edges: dict[RouteKey, set[RouteKey]] = {}
        for site in self.named("route"):
            if name := site.text(0):
                edges.setdefault(key_of(site.route), set()).add((RouteKind.REQUEST, name))
        return Graph(edges)

    @cached_property
    def _functions(self) -> Mapping[str, tuple[tuple[str, FunctionFacts], ...]]:
        found: dict[str, list[tuple[str, FunctionFacts]]] = {}
        for module in self.knowledge.modules.values():
            for function in module.functions.values():
                found.setdefault(function.name, []).append((module.name, function))
        return {name: tuple(homes) for name, homes in found.items()}

    def homes(self, name: str) -> tuple[tuple[str, FunctionFacts], ...]:
        """The modules that have a function of this name, with what each says of it."""
        return self._functions.get(name, ())

    def function(self, name: str, kind: RouteKind | None = None) -> FunctionFacts | None:
        """What is known of a function here: of the core, of a module loaded, of the only one that has it.

        Where several modules loaded have it, the last one that allows it in this kind of route counts
        (find_mod_cmd_export_t in sr_module.c).
        """
        if name in self.knowledge.core_functions:
            return self.knowledge.core_functions[name]
        found = [
            described.functions[name]
            for module in reversed(tuple(self.loaded))
            if (described := self.knowledge.modules.get(module)) and name in described.functions
        ]
        fitting = [function for function in found if kind in function.routes]
        if found:
            return (fitting or found)[0]
        homes = self.homes(name)
        return homes[0][1] if len(homes) == 1 else None

    def async_function(self, name: str) -> FunctionFacts | None:
        """What async and launch may call here: of the last module loaded that has it."""
        for module in reversed(tuple(self.loaded)):
            described = self.knowledge.modules.get(module)
            if described and name in described.async_functions:
                return described.async_functions[name]
        return None

    @property
    def known_functions(self) -> tuple[str, ...]:
        """The names of all functions that are described."""
        return (*self.knowledge.core_functions, *self._functions)


def overview(script: Script, knowledge: Knowledge, tables: TableFacts) -> Overview:
    """What the checks look at. Nothing is computed before a check asks for it, and nothing twice."""
    return Overview(script, knowledge, tables)


def _in_block(route: RouteBlock, block: Block) -> Iterator[Site]:
    following: tuple[Statement | None, ...] = (*block[1:], None)
    for statement, after in zip(block, following, strict=False):
        yield from _in_statement(route, statement, after)


def _in_statement(route: RouteBlock, statement: Statement, after: Statement | None) -> Iterator[Site]:
    if isinstance(statement, Call):
        yield Site(statement, route, after is not None and _asks_for_result(after))
        return
    for expression in (statement,) if isinstance(statement, Resume) else expressions_of(statement):
        for leaf in leaves_in(expression):
            if isinstance(leaf, Call):
                kept_in = "" if after is not None and _asks_for_result(after) else _kept_in(statement, leaf)
                yield Site(leaf, route, tested=True, kept_in=kept_in)
            elif isinstance(leaf, Resume):
                yield Site(leaf.call, route, tested=True, later=True)
    for block in blocks_of(statement):
        yield from _in_block(route, block)


def _kept_in(statement: Statement, call: Call) -> str:
    """The variable that a statement assigns the result of a call to."""
    return statement.variable if isinstance(statement, Assign) and statement.value is call else ""


def _asks_for_result(statement: Statement) -> bool:
    """Whether a statement looks at $rc or $retcode, which hold the result of the call before it."""
    if isinstance(statement, Switch):
        return statement.subject in _RESULT_VARIABLES
    return any(_has_result(expression) for expression in expressions_of(statement))


def _has_result(expression: Expression) -> bool:
    match expression:
        case Not():
            return _has_result(expression.operand)
        case Operation():
            return _has_result(expression.left) or _has_result(expression.right)
        case Term():
            return expression.argument.text in _RESULT_VARIABLES
    return False
