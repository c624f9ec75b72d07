"""The work of checking grows with the script's length, and bad input is bounded."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efcp.script.checking.check import MAXIMUM_ALIKE, check
from efcp.script.findings import ScriptFinding
from efcp.script.knowledge.facts import knowledge_of
from efcp.script.language.reading import parse
from efcp.script.language.syntax import Script

HEAD = 'socket=udp:127.0.0.1:5060\nloadmodule "proto_udp.so"\nloadmodule "tm.so"\nloadmodule "sl.so"\n'


def findings(text: str) -> tuple[ScriptFinding, ...]:
    return check(parse(text, "t.cfg"), knowledge_of("3.6")).findings


def call_count(work: Callable[[], object]) -> int:
    """How many Python functions are called."""
    count = 0

    def counted(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def chain(groups: int) -> Script:
    """Routes that call one another in a row, each with a failure route that tries the next destination."""
    parts = [HEAD, 'route {\n    sl_send_reply(100, "Trying");\n    route(r0);\n}\n']
    for number in range(groups):
        following = f"    route(r{number + 1});\n" if number + 1 < groups else ""
        parts.append(
            f"route[r{number}] {{\n"
            f'    if (!ds_select_dst({number}, 4)) {{\n        sl_send_reply(500, "No");\n    }}\n'
            f'    t_on_failure("f{number}");\n    t_relay();\n{following}}}\n'
            f"failure_route[f{number}] {{\n    if (!ds_next_dst())\n        exit;\n    t_relay();\n}}\n"
            f'modparam("tm|d.*", "fr_timeout", "5")\n'
        )
    return parse("".join(parts), "t.cfg")


def test_twice_the_script_takes_twice_the_work() -> None:
    known = knowledge_of("3.6")
    short, long = chain(200), chain(400)
    check(chain(2), known)
    work_of_short = call_count(lambda: check(short, known))
    assert call_count(lambda: check(long, known)) < 2.5 * work_of_short


def test_five_thousand_lines_are_looked_at_once() -> None:
    """Some hundred function calls a line; what walks the script again for each route would be far above."""
    script = chain(360)
    known = knowledge_of("3.6")
    assert call_count(lambda: check(script, known)) < 5_000 * 150


def test_of_findings_alike_the_first_are_reported_and_that_there_are_more() -> None:
    lines = "".join(f'modparam("tm", "x{number}", 1)\n' for number in range(3 * MAXIMUM_ALIKE))
    found = findings(f"{HEAD}{lines}route {{ exit; }}\n")
    assert [finding.code for finding in found].count("parameter-unknown") == MAXIMUM_ALIKE
    assert [finding.code for finding in found].count("more-alike") == 1


def test_a_function_that_is_unknown_in_many_places_is_reported_once_with_them() -> None:
    lines = "    nosuch();\n" * 50
    (finding,) = findings(f"{HEAD}route {{\n{lines}}}\n")
    assert (finding.code, finding.place.line, len(finding.also)) == ("function-unknown", 6, 49)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(.*)*x", ".*.*.*.*.*.*.*.*.*y", "[", "a{1000}", "tm" * 100, "|||", "\\1"]
)
def test_a_pattern_that_could_take_long_is_left_alone(pattern: str) -> None:
    codes = [each.code for each in findings(f'{HEAD}modparam("{pattern}", "x", 1)\nroute {{ t_relay(); }}\n')]
    assert set(codes) <= {"parameter-without-module", "not-understood"}


WORDS = st.sampled_from(
    [
        "route {",
        "route[a] {",
        "failure_route[a] {",
        "branch_route[b] {",
        "}",
        'if (!ds_select_dst(1, 4, "f")) {',
        "ds_select_dst($var(x), 99, 7);",
        'ds_mark_dst("p");',
        "ds_mark_dst();",
        "if (!ds_next_dst()) exit;",
        't_on_failure("a");',
        "t_relay();",
        "route(a);",
        "route($var(a));",
        "async(sleep(1), a);",
        "dp_translate(1);",
        'loadmodule "tm.so"',
        'loadmodule ""',
        'modparam("dispatcher", "ds_ping_interval", 10)',
        'modparam("", "", "")',
        'modparam("tm|.*", "db_url", "mysql://")',
        "socket=udp:1.2.3.4:5",
        "socket=:",
        'db_default_url="mysql://a@b:99999999/c"',
    ]
)


@settings(max_examples=200)
@given(st.lists(WORDS, max_size=30), st.sampled_from(["3.4", "3.6", "4.0"]))
def test_whatever_is_read_is_checked(lines: list[str], version: str) -> None:
    found = check(parse("\n".join(lines), "t.cfg"), knowledge_of(version)).findings
    assert list(found) == sorted(found, key=lambda each: (each.place, each.code))
