"""What a script of OpenSIPS is made of, as its grammar (cfg.y) has it: values, and walking through them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Union

from efcp.script.findings import Location, ScriptFinding


class RouteKind(StrEnum):
    """The kinds of blocks that hold statements, by their keyword."""

    REQUEST = "route"
    FAILURE = "failure_route"
    BRANCH = "branch_route"
    REPLY = "onreply_route"
    ERROR = "error_route"
    LOCAL = "local_route"
    STARTUP = "startup_route"
    TIMER = "timer_route"
    EVENT = "event_route"


class ArgumentKind(StrEnum):
    """What an argument is written as."""

    STRING = "string"
    NUMBER = "number"
    VARIABLE = "variable"
    NAME = "name"
    """A bare word, as in route(relay)."""
    EXPRESSION = "expression"
    NONE = "none"
    """Left out, as the second in f(1,,2)."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call: a string without its quotes and with escapes resolved, all else as written.

    `condition` is what assert() takes.
    """

    kind: ArgumentKind
    text: str
    condition: "Expression | None" = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function called: of a module, of the core, or `route` itself (the first argument is its name)."""

    place: Location
    name: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """Something in an expression that is neither call nor logic: a number, a string, a variable, a word."""

    place: Location
    argument: Argument


@dataclass(frozen=True, slots=True)
class Not:
    """A negation."""

    place: Location
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions and what joins them: `&&`, `||` (also for the words and, or), a comparison (`==`, `=~`,
    `<` …) or arithmetic."""

    place: Location
    operator: str
    left: "Expression"
    right: "Expression"


Expression = Union[Call, Term, Not, Binary, "Leave", "Resume"]
"""What a condition or a value is made of. A Resume or Leave is a statement that stands as an expression."""


@dataclass(frozen=True, slots=True)
class Assign:
    """A value given to a variable. `variable` with its $, `operator` `=`, `+=`, `:=` …"""

    place: Location
    variable: str
    operator: str
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Leave:
    """`exit`, `drop`, `return` or `break`, with the value of a `return`."""

    place: Location
    word: str
    value: Expression | None = None


@dataclass(frozen=True, slots=True)
class If:
    """A condition; `otherwise` is empty where there is no else (an `else if` is an If within it)."""

    place: Location
    condition: Expression
    then: "Block"
    otherwise: "Block"


@dataclass(frozen=True, slots=True)
class While:
    """A loop with a condition."""

    place: Location
    condition: Expression
    body: "Block"


@dataclass(frozen=True, slots=True)
class ForEach:
    """`for ($var in $(list[*]))`."""

    place: Location
    variable: str
    source: str
    body: "Block"


@dataclass(frozen=True, slots=True)
class Case:
    """A case of a switch; `values` is empty for the default."""

    place: Location
    values: tuple[str, ...]
    body: "Block"


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch over a variable."""

    place: Location
    subject: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """`async(call, route)` and `launch(call, route)`: `route` is where it goes on, "" where none is named."""

    place: Location
    word: str
    call: Call
    route: str


Statement = Call | Assign | Leave | If | While | ForEach | Switch | Resume | Binary | Not | Term
Block = tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class LoadModule:
    """`loadmodule "dispatcher.so"`: `name` is "dispatcher", without folder and ending."""

    place: Location
    name: str


@dataclass(frozen=True, slots=True)
class ModuleParameter:
    """`modparam("dispatcher|dialplan", "db_url", "…")`: `modules` are the alternatives of its first argument.

    OpenSIPS takes that argument as a regular expression: `pattern` is it as written.
    """

    place: Location
    pattern: str
    modules: tuple[str, ...]
    name: str
    value: str | int


@dataclass(frozen=True, slots=True)
class Setting:
    """A global setting: `log_level=3`, `socket=udp:127.0.0.1:5060 as …`; `value` a string unquoted.

    `parts` are the words of the value, by kind.
    """

    place: Location
    name: str
    value: str | int
    parts: tuple[Argument, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class RouteBlock:
    """A block of statements. `name` is "" for the main one of its kind; `options` are what stands beside the
    name (the interval of a timer_route)."""

    place: Location
    kind: RouteKind
    name: str
    options: tuple[str, ...]
    body: Block


Item = LoadModule | ModuleParameter | Setting | RouteBlock


@dataclass(frozen=True, slots=True)
class Accept:
    """A comment `# efcp: accept threshold-low - why` that says that findings of these codes are meant.

    It counts for its own line and for the next one that is not empty or a comment; before all else of a file
    for the whole `file`, where `following` is None.
    """

    place: Location
    codes: tuple[str, ...]
    following: Location | None


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script, includes in their places.

    `skipped` counts the constructs that were not understood; `findings` are of reading: unclosed strings,
    includes that are missing, form a cycle or leave the folder.
    """

    items: tuple[Item, ...]
    skipped: int = 0
    findings: tuple[ScriptFinding, ...] = ()
    accepts: tuple[Accept, ...] = ()

    @property
    def modules(self) -> Iterator[LoadModule]:
        """The modules loaded, in order."""
        return (item for item in self.items if isinstance(item, LoadModule))

    @property
    def parameters(self) -> Iterator[ModuleParameter]:
        """The module parameters, in order."""
        return (item for item in self.items if isinstance(item, ModuleParameter))

    @property
    def settings(self) -> Iterator[Setting]:
        """The global settings, in order."""
        return (item for item in self.items if isinstance(item, Setting))

    @property
    def routes(self) -> Iterator[RouteBlock]:
        """The routes of every kind, in order."""
        return (item for item in self.items if isinstance(item, RouteBlock))


def calls(block: Block) -> Iterator[Call]:
    """Every call in the block, in the order of the text, those in conditions and nested blocks too."""
    for statement in block:
        yield from calls_of(statement)


def statements_in(block: Block) -> Iterator[Statement]:
    """Every statement in the block, in the order of the text, those in nested blocks too."""
    for statement in block:
        yield statement
        for nested in blocks_of(statement):
            yield from statements_in(nested)


def calls_of(statement: Statement) -> Iterator[Call]:
    """Every call in one statement."""
    for expression in expressions_of(statement):
        yield from calls_in(expression)
    for block in blocks_of(statement):
        yield from calls(block)


def calls_in(expression: Expression) -> Iterator[Call]:
    """Every call in an expression."""
    for leaf in leaves_in(expression):
        if isinstance(leaf, Call):
            yield leaf
        elif isinstance(leaf, Resume):
            yield leaf.call


def leaves_in(expression: Expression) -> Iterator[Call | Term | Resume]:
    """Everything in an expression that holds no other expression."""
    match expression:
        case Term() | Resume():
            yield expression
        case Call():
            yield expression
            for argument in expression.arguments:
                if argument.condition is not None:
                    yield from leaves_in(argument.condition)
        case Leave():
            if expression.value is not None:
                yield from leaves_in(expression.value)
        case Not():
            yield from leaves_in(expression.operand)
        case Binary():
            yield from leaves_in(expression.left)
            yield from leaves_in(expression.right)


def resumes(block: Block) -> Iterator[Resume]:
    """Every async and launch in the block, those in conditions and nested blocks too."""
    for statement in block:
        for expression in (statement,) if isinstance(statement, Resume) else expressions_of(statement):
            yield from (leaf for leaf in leaves_in(expression) if isinstance(leaf, Resume))
        for nested in blocks_of(statement):
            yield from resumes(nested)


def expressions_of(statement: Statement) -> tuple[Expression, ...]:
    """The expressions that a statement holds itself, not those of nested blocks."""
    match statement:
        case If() | While():
            return (statement.condition,)
        case Assign() | Leave():
            return (statement.value,) if statement.value is not None else ()
        case Resume():
            return (statement.call,)
        case ForEach() | Switch():
            return ()
        case _:
            return (statement,)


def blocks_of(statement: Statement) -> tuple[Block, ...]:
    """The blocks nested in a statement."""
    match statement:
        case If():
            return (statement.then, statement.otherwise)
        case While() | ForEach():
            return (statement.body,)
        case Switch():
            return tuple(case.body for case in statement.cases)
        case _:
            return ()
