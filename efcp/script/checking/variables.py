"""Variables and transformations: unknown, of a module that isn't loaded, gone since, or never to be set.

Those in the text of an argument count too: the proxy takes them apart when it starts (fix_cmd in mod_fix.c),
those of xlog only then, so that `opensips -C` does not find them.
"""

import re
from collections.abc import Iterator, Sequence

from efcp.script.checking.overview import Overview
from efcp.script.findings import Location, ScriptFinding, error, likely, warning
from efcp.script.knowledge.facts import ArgumentType, Transformations, VariableFacts, renamed
from efcp.script.language.expressions import ASSIGNING
from efcp.script.language.syntax import (
    ArgumentKind,
    Assign,
    Binary,
    Call,
    Expression,
    ForEach,
    LoadModule,
    Not,
    Resume,
    RouteBlock,
    Statement,
    Switch,
    Term,
    expressions_of,
    leaves_in,
    statements_in,
)
from efcp.script.language.variables import Reference, Transformation, reference, references

_DEPTH = 5
"""Of variables that name variables."""
_INDEX = re.compile(r"\*|-?\d*|append", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[ \t]*[+-]?[ \t]*\d", re.ASCII)
_FORMATTED = frozenset({"xlog", "xdbg"})
_EXPANDED = frozenset({ArgumentType.STRING, ArgumentType.STATIC})
_NAMED_BY_VARIABLES = frozenset({"avp", "hdr", "hdrcnt"})
_ITERATORS = frozenset({"var", "avp", "json"})
_STOPS = "the proxy does not start"

Problem = tuple[str, str]
"""A code and a sentence."""


def in_statements(overview: Overview) -> Iterator[ScriptFinding]:
    """Variables that stand by themselves: looked up where they stand (script_var in cfg.y)."""
    for route in overview.script.routes:
        for statement in statements_in(route.body):
            for place, text in _variables_of(statement):
                yield from _found(overview, place, reference(text), route)


def in_texts(overview: Overview) -> Iterator[ScriptFinding]:
    """Variables within the text of an argument that replaces them."""
    for site in overview.sites:
        for text in expanded_texts(overview, site.call, site.later):
            for found in references(text):
                yield from _found(overview, site.place, found, None)


def expanded_texts(overview: Overview, call: Call, later: bool) -> Iterator[str]:
    """The texts of a call's arguments in which the proxy replaces variables."""
    if call.name in _FORMATTED or call.name == "route":
        arguments = call.arguments[:1] if call.name == "route" else call.arguments
        yield from (each.text for each in arguments if each.kind is ArgumentKind.STRING)
        return
    function = overview.async_function(call.name) if later else overview.function(call.name)
    for argument, known in zip(call.arguments, function.takes if function else (), strict=False):
        if argument.kind is ArgumentKind.STRING and known.type in _EXPANDED:
            yield argument.text


def tails(overview: Overview) -> Iterator[ScriptFinding]:
    """`$ru{uri.user}`: without round brackets around all of it the braces mean nothing (pv_parse_spec)."""
    for route in overview.script.routes:
        for statement in statements_in(route.body):
            for place, text in _variables_of(statement):
                found = reference(text)
                if found.rest and not found.problem:
                    kept = text.removesuffix(found.rest)
                    message = f"Of {text[:60]} the proxy takes {kept[:60]} alone. Write $({text[1:60]})."
                    yield warning("variable-tail", place, message)
    for site in overview.sites:
        for text in expanded_texts(overview, site.call, site.later):
            for found in references(text):
                if _looks_transformed(overview, found):
                    yield _braces_in_text(site.place, found)


def _braces_in_text(place: Location, found: Reference) -> ScriptFinding:
    braces = found.rest.partition("}")[0]
    text = f"In this text ${found.name} is replaced, and {braces}}} stays as it is."
    message = f"{text} Write $({found.name}{braces}}}) where the transformation is meant."
    return warning("variable-tail", place, message)


def _looks_transformed(overview: Overview, found: Reference) -> bool:
    match = re.match(r"\{(\w+)\.\w", found.rest)
    return bool(match and not found.problem and match[1] in overview.knowledge.transformations)


def assigned(overview: Overview) -> Iterator[ScriptFinding]:
    """What stands left of a = must be writable and without a transformation (assign_cmd in cfg.y)."""
    for route in overview.script.routes:
        for statement in statements_in(route.body):
            for place, text in _assigned_in(statement):
                found = reference(text)
                known = lookup(overview, found)
                if found.transformations:
                    message = f"{text[:60]} can't be set, as it has a transformation: {_STOPS}."
                    yield error("variable-read-only", place, message)
                elif known is not None and not known.is_writable:
                    message = f"${found.name} can only be read: {_STOPS}."
                    yield error("variable-read-only", place, message)
            if isinstance(statement, ForEach) and reference(statement.variable).name not in _ITERATORS:
                message = f"for takes $var(), $avp() or $json() to go through a list: {_STOPS}."
                yield error("variable-read-only", statement.place, message)


def _assigned_in(statement: Statement) -> Iterator[tuple[Location, str]]:
    """What a statement assigns to, also within its condition."""
    if isinstance(statement, Assign):
        yield statement.place, statement.variable
    for expression in expressions_of(statement):
        yield from _assigned_within(expression)


def _assigned_within(expression: Expression) -> Iterator[tuple[Location, str]]:
    match expression:
        case Not():
            yield from _assigned_within(expression.operand)
        case Binary(operator=operator, left=Term() as left) if operator in ASSIGNING:
            yield expression.place, left.argument.text
        case Binary():
            yield from _assigned_within(expression.left)
            yield from _assigned_within(expression.right)


def _variables_of(statement: Statement) -> Iterator[tuple[Location, str]]:
    """The variables that a statement holds itself, with the place of each."""
    match statement:
        case Assign():
            yield statement.place, statement.variable
        case ForEach():
            yield statement.place, statement.variable
            yield statement.place, statement.source
        case Switch():
            yield statement.place, statement.subject
    for expression in expressions_of(statement):
        for leaf in leaves_in(expression):
            yield from _of_leaf(leaf)


def _of_leaf(leaf: Call | Term | Resume) -> Iterator[tuple[Location, str]]:
    call = leaf.call if isinstance(leaf, Resume) else leaf
    arguments = call.arguments if isinstance(call, Call) else (call.argument,)
    for argument in arguments:
        if argument.kind is ArgumentKind.VARIABLE:
            yield leaf.place, argument.text


def _found(
    overview: Overview, place: Location, found: Reference, route: RouteBlock | None
) -> Iterator[ScriptFinding]:
    for code, text in problems(overview, found, route):
        yield error(code, place, text)


def problems(
    overview: Overview, found: Reference, route: RouteBlock | None = None, depth: int = 0
) -> Iterator[Problem]:
    """Why the proxy does not take a variable. `route` is where it stands by itself: what it needs must be
    loaded above that."""
    if found.is_marker and not found.problem:
        return
    known = lookup(overview, found, route)
    if known is None:
        if unknown := _unknown(overview, found, route):
            yield unknown
        return
    if problem := found.problem or _misused(overview, found, known):
        yield "variable-malformed", f"${found.name} can't be read, as {problem}: {_STOPS}."
        return
    for transformation in found.transformations:
        yield from _of_transformation(overview, transformation, depth)
    if depth < _DEPTH:
        for nested in _nested(found):
            yield from problems(overview, reference(nested), route, depth + 1)


def _nested(found: Reference) -> Iterator[str]:
    if found.inner and found.inner.startswith("$") and found.name in _NAMED_BY_VARIABLES:
        yield found.inner
    if found.index and found.index.startswith("$"):
        yield found.index


def lookup(overview: Overview, found: Reference, route: RouteBlock | None = None) -> VariableFacts | None:
    """What is known of a variable here: of the core, or of a module that is loaded (above the route)."""
    core = overview.knowledge.variables.get(found.name)
    if core and (core.is_named if found.inner is not None else core.is_bare):
        return core
    for name, module in overview.loaded.items():
        described = overview.knowledge.modules.get(name)
        if described and found.name in described.variables and _is_above(overview, module, route):
            return described.variables[found.name]
    return None


def _is_above(overview: Overview, module: LoadModule, route: RouteBlock | None) -> bool:
    return route is None or overview.order[id(module)] < overview.order[id(route)]


def _unknown(overview: Overview, found: Reference, route: RouteBlock | None) -> Problem | None:
    """Why a variable is not known, and what to write."""
    knowledge, written = overview.knowledge, f"${found.name}"
    if core := knowledge.variables.get(found.name):
        why = "takes no name in brackets" if core.is_bare else f"needs a name, as {written}(name)"
        return "variable-malformed", f"{written} {why}: {_STOPS}."
    homes = [module.name for module in knowledge.modules.values() if found.name in module.variables]
    if loaded := [name for name in homes if name in overview.loaded]:
        text = f"{written} is of {loaded[0]}, which is loaded below this route: {_STOPS}."
        return "variable-early", f"{text} Load it above the routes."
    if not overview.is_whole and homes:
        return None
    if now := renamed()["variables"].get(found.name):
        return "variable-unknown", f"OpenSIPS {knowledge.version} has no {written}: {_STOPS}. {now}"
    if homes:
        needed = homes[0] if len(homes) == 1 else f"one of {', '.join(homes)}"
        text = f'{written} is of {needed}, which is not loaded: {_STOPS}. Write loadmodule "{homes[0]}.so".'
        return "variable-without-module", text
    if overview.loads_undescribed:
        return None
    return "variable-unknown", _is_unknown(overview, found)


def _is_unknown(overview: Overview, found: Reference) -> str:
    knowledge = overview.knowledge
    if not found.name:
        return f"A $ stands for a variable, and none follows: {_STOPS}. Write $$ for the sign itself."
    names = {
        *knowledge.variables,
        *(name for module in overview.loaded for name in _variables(overview, module)),
    }
    text = f"OpenSIPS {knowledge.version} has no variable ${found.name[:60]}: {_STOPS}."
    return text + likely(found.name, names) if len(found.name) > 3 else text


def _variables(overview: Overview, module: str) -> Sequence[str]:
    described = overview.knowledge.modules.get(module)
    return tuple(described.variables) if described else ()


def _misused(overview: Overview, found: Reference, known: VariableFacts) -> str:
    """What is wrong with a name or an index, "" for nothing."""
    if found.inner is not None and not known.is_named:
        return "it takes no name in brackets"
    names = overview.knowledge.variable_names.get(found.name)
    if found.inner and names and not found.inner.startswith("$") and found.inner.lower() not in names:
        return f"it knows no {found.inner[:40]}; there are {', '.join(sorted(names))}"
    if found.index is None or found.index.startswith("$"):
        return ""
    if not known.is_indexed:
        return "it takes no index"
    return "" if known.is_free or _INDEX.fullmatch(found.index) else f"{found.index[:40]} is not an index"


def _of_transformation(overview: Overview, found: Transformation, depth: int) -> Iterator[Problem]:
    known = _transformations(overview)
    if found.kind not in known:
        if problem := _unknown_class(overview, found.kind):
            yield problem
        return
    written, _, rest = found.text.partition(",")
    name = _transformation_name(found.kind, written)
    takes = known[found.kind].get(name)
    if takes is None:
        text = f"Unknown transformation {{{found.kind}.{name[:40]}}}: {_STOPS}."
        yield "transformation-unknown", text + likely(name, known[found.kind])
        return
    given = rest if "," in found.text else None
    yield from _parameters(overview, f"{{{found.kind}.{name}}}", takes, given, depth)


def _transformation_name(kind: str, written: str) -> str:
    """Upper and lower case count alike; some names have more forms (tr_parse_nameaddr, tr_parse_string)."""
    name = written.split("}")[0].strip().lower()
    if kind == "nameaddr":
        return name.rpartition(".")[2]
    return name[:5] if kind == "s" and name.startswith("trim") else name


def _transformations(overview: Overview) -> Transformations:
    loaded = (overview.knowledge.modules.get(name) for name in overview.loaded)
    return {
        **overview.knowledge.transformations,
        **{kind: names for module in loaded if module for kind, names in module.transformations.items()},
    }


def _unknown_class(overview: Overview, kind: str) -> Problem | None:
    homes = [it.name for it in overview.knowledge.modules.values() if kind in it.transformations]
    if homes and not overview.is_whole:
        return None
    if homes:
        text = (
            f'{{{kind}.…}} is of {homes[0]}, which is not loaded: {_STOPS}. Write loadmodule "{homes[0]}.so".'
        )
        return "variable-without-module", text
    if overview.loads_undescribed:
        return None
    known = ", ".join(sorted(overview.knowledge.transformations))
    return (
        "transformation-unknown",
        f"Unknown transformations {kind[:40]}.…: {_STOPS}. There are {known}.",
    )


def _parameters(
    overview: Overview, written: str, takes: Sequence[str], given: str | None, depth: int
) -> Iterator[Problem]:
    """What is wrong with the parameters; `given` is all that stands behind the first comma."""
    for expected in takes:
        if given is None:
            if not expected.endswith("?"):
                yield "transformation-unknown", f"{written} needs more parameters: {_STOPS}."
            return
        stripped = given.lstrip(" \t\n")
        if stripped.startswith("$"):
            found = reference(stripped)
            if depth < _DEPTH:
                yield from problems(overview, found, None, depth + 1)
            stripped = found.rest
        elif expected.startswith("number") and not _NUMBER.match(stripped):
            shown = stripped.partition(",")[0][:40] or "nothing"
            yield "transformation-unknown", f"{written} takes a number, not {shown}: {_STOPS}."
            return
        _, comma, following = stripped.partition(",")
        given = following if comma else None


CHECKS = (in_statements, in_texts, tails, assigned)
