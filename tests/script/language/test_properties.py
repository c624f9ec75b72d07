"""What holds for every text, and for every script that can be written."""

from hypothesis import example, given
from hypothesis import strategies as st

from efcp.script.findings import Location
from efcp.script.language.reading import parse, read_text
from efcp.script.language.syntax import (
    Argument,
    ArgumentKind,
    Assign,
    Binary,
    Block,
    Call,
    Case,
    Expression,
    ForEach,
    If,
    Item,
    Leave,
    LoadModule,
    ModuleParameter,
    Not,
    Resume,
    RouteBlock,
    RouteKind,
    Script,
    Setting,
    Statement,
    Switch,
    Term,
    While,
    blocks_of,
    calls,
    calls_in,
    expressions_of,
)
from tests.script.language.printing import ARITHMETIC, LOGIC, script_text
from tests.script.language.reading import FILE

PLACE = Location(FILE, 1)
NAMES = st.from_regex(r"[a-z]_[a-z0-9_]{0,6}", fullmatch=True)
TEXTS = st.text(max_size=12)
NUMBERS = st.integers(-(2**31), 2**31 - 1)
VARIABLES = st.sampled_from(
    ["$ru", "$rU", "$var(x)", "$avp(a b)", "$(ru{uri.user})", "$T_reply_code", "$(x(y(z)))"]
)


def argument(kind: ArgumentKind, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Argument]:
    return texts.map(lambda text: Argument(kind, text))


VARIABLE = argument(ArgumentKind.VARIABLE, VARIABLES)
NUMBER = argument(ArgumentKind.NUMBER, NUMBERS.map(str))
STRING = argument(ArgumentKind.STRING, TEXTS)
NULL = st.just(Argument(ArgumentKind.NAME, "NULL"))
NOTHING = st.just(Argument(ArgumentKind.NONE, ""))


def terms(arguments: st.SearchStrategy[Argument]) -> st.SearchStrategy[Expression]:
    return st.builds(Term, st.just(PLACE), arguments)


def is_left_out(arguments: list[Argument]) -> bool:
    """One argument that is left out is the same as none."""
    return [each.kind for each in arguments] == [ArgumentKind.NONE]


ARGUMENTS = st.lists(VARIABLE | NUMBER | STRING | NOTHING, max_size=4).filter(
    lambda them: not is_left_out(them)
)
CALLS = st.builds(Call, st.just(PLACE), NAMES, ARGUMENTS.map(tuple))
VALUES = st.recursive(
    terms(VARIABLE | NUMBER | STRING) | CALLS,
    lambda inner: st.builds(Binary, st.just(PLACE), st.sampled_from(ARITHMETIC), inner, inner),
    max_leaves=4,
)
COMPARISONS = st.builds(
    Binary,
    st.just(PLACE),
    st.sampled_from(["==", "!="]),
    terms(VARIABLE),
    terms(VARIABLE | NUMBER | STRING | NULL),
) | st.builds(
    Binary,
    st.just(PLACE),
    st.sampled_from(["=~", "!~", "<", ">="]),
    terms(VARIABLE),
    terms(VARIABLE | STRING),
)
ASSIGNMENTS = st.builds(Binary, st.just(PLACE), st.sampled_from(["=", "+="]), terms(VARIABLE), VALUES)
ARITHMETICS = st.builds(Binary, st.just(PLACE), st.sampled_from(ARITHMETIC), VALUES, VALUES)
CONDITIONS = st.recursive(
    terms(VARIABLE | NUMBER) | CALLS | COMPARISONS | ASSIGNMENTS | ARITHMETICS,
    lambda inner: (
        st.builds(Not, st.just(PLACE), inner)
        | st.builds(Binary, st.just(PLACE), st.sampled_from(LOGIC), inner, inner)
    ),
    max_leaves=5,
)
ACTIONS = (
    CALLS
    | st.builds(Assign, st.just(PLACE), VARIABLES, st.sampled_from(["=", ":=", "-="]), VALUES)
    | st.builds(Leave, st.just(PLACE), st.sampled_from(["exit", "drop", "return"]))
    | st.builds(Leave, st.just(PLACE), st.just("return"), terms(VARIABLE | NUMBER))
    | st.builds(Resume, st.just(PLACE), st.sampled_from(["async", "launch"]), CALLS, NAMES | st.just(""))
)


def blocks(statements: st.SearchStrategy[Statement], least: int = 0) -> st.SearchStrategy[Block]:
    return st.lists(statements, min_size=least, max_size=3).map(tuple)


def compounds(inner: st.SearchStrategy[Statement]) -> st.SearchStrategy[Statement]:
    labels = st.lists(TEXTS, min_size=1, max_size=2).map(tuple)
    case = st.builds(Case, st.just(PLACE), labels, blocks(inner, 1))
    default = st.builds(Case, st.just(PLACE), st.just(()), blocks(inner))
    return (
        st.builds(If, st.just(PLACE), CONDITIONS, blocks(inner), blocks(inner))
        | st.builds(While, st.just(PLACE), CONDITIONS, blocks(inner | st.just(Leave(PLACE, "break"))))
        | st.builds(ForEach, st.just(PLACE), VARIABLES, VARIABLES, blocks(inner))
        | st.builds(
            Switch,
            st.just(PLACE),
            VARIABLES,
            st.tuples(st.lists(case, min_size=1, max_size=2), st.lists(default, max_size=1)).map(
                lambda parts: (*parts[0], *parts[1])
            ),
        )
    )


STATEMENTS: st.SearchStrategy[Statement] = st.recursive(ACTIONS, compounds, max_leaves=8)
NAMED = st.sampled_from(
    [RouteKind.REQUEST, RouteKind.FAILURE, RouteKind.BRANCH, RouteKind.REPLY, RouteKind.EVENT]
)
UNNAMED = st.sampled_from(
    [RouteKind.REQUEST, RouteKind.REPLY, RouteKind.ERROR, RouteKind.LOCAL, RouteKind.STARTUP]
)
BODIES = blocks(STATEMENTS, 1)
INTERVALS = st.integers(1, 3600).map(lambda seconds: (str(seconds),))


def parameter(modules: list[str], name: str, value: str | int) -> ModuleParameter:
    return ModuleParameter(PLACE, "|".join(modules), tuple(modules), name, value)


ITEMS: st.SearchStrategy[Item] = (
    st.builds(LoadModule, st.just(PLACE), NAMES)
    | st.builds(parameter, st.lists(NAMES, min_size=1, max_size=3), NAMES, TEXTS | NUMBERS)
    | st.builds(Setting, st.just(PLACE), NAMES, TEXTS | NUMBERS)
    | st.builds(RouteBlock, st.just(PLACE), NAMED, NAMES, st.just(()), BODIES)
    | st.builds(RouteBlock, st.just(PLACE), UNNAMED, st.just(""), st.just(()), BODIES)
    | st.builds(RouteBlock, st.just(PLACE), st.just(RouteKind.TIMER), NAMES, INTERVALS, BODIES)
)

WORDS = """
    route failure_route[a] { } ( ) [ ] " ' ; , : = == ! && - + if else while for in switch case default break
    exit return async launch loadmodule modparam socket $ $x $( $var(x) f( /* */ # \\ “ ” 1 1.2.3.4 NULL yes
    foo xlog assert
"""
OTHERS = [" ", "\n", '"x"', 'include_file "a.cfg"\n', "\0", "\r\n", "é"]
PIECES = st.lists(st.sampled_from(WORDS.split() + OTHERS), max_size=60)
ANY_TEXT = st.text() | PIECES.map("".join) | PIECES.map(" ".join)


def places(script: Script) -> list[Location]:
    found = [finding.place for finding in script.findings] + [item.place for item in script.items]
    for route in script.routes:
        found += places_in(route.body)
    return found


def places_in(block: Block) -> list[Location]:
    found = [each.place for each in block] + [each.place for each in calls(block)]
    for statement in block:
        for inner in blocks_of(statement):
            found += places_in(inner)
    return found


@given(st.lists(ITEMS, max_size=4).map(tuple))
def test_a_script_that_is_written_and_read_is_the_same(items: tuple[Item, ...]) -> None:
    assert parse(script_text(items), FILE) == Script(items)


@given(ANY_TEXT)
@example("route{if(")
@example('"')
@example("/*")
def test_any_text_is_read_and_its_lines_lie_within_it(text: str) -> None:
    last = max(text.count("\n") + 1, 1)
    assert all(place.file == FILE and 1 <= place.line <= last for place in places(parse(text, FILE)))
    assert all(place.file == FILE and 1 <= place.line <= last for place in places(read_text(text, FILE)))


@given(st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    script = read_text(data, FILE)
    assert all(1 <= place.line <= data.count(b"\n") + 1 for place in places(script))


@given(ANY_TEXT)
def test_what_follows_on_a_line_of_its_own_is_found_unless_something_is_left_open(text: str) -> None:
    script = parse(f'{text}\nloadmodule "last"', FILE)
    left_open = {"unclosed-string", "unclosed-comment", "unclosed-block", "stray-bracket", "syntax"}
    if not left_open & {finding.code for finding in script.findings} and not script.skipped:
        assert script.items[-1] == LoadModule(Location(FILE, text.count("\n") + 2), "last")


@given(STATEMENTS)
def test_walking_finds_every_call_of_a_statement(statement: Statement) -> None:
    own = [call for expression in expressions_of(statement) for call in calls_in(expression)]
    nested = [call for block in blocks_of(statement) for call in calls(block)]
    assert list(calls((statement,))) == own + nested
