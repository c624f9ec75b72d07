"""Whatever a text holds, it is cut at the bounds and ends in findings."""

import pytest

from efcp.script.language.cursor import MAXIMUM_DEPTH
from efcp.script.language.reading import read_text
from efcp.script.language.syntax import calls
from efcp.script.language.tokens import MAXIMUM_CHARACTERS, MAXIMUM_FINDINGS, MAXIMUM_HINTS
from tests.script.language.reading import FILE, codes, in_route

LARGE = 10_000_000


@pytest.mark.parametrize(
    "piece",
    [
        "{",
        "(",
        "[",
        '"',
        "'",
        "/*",
        "if(",
        "if(a()){",
        "route{",
        "$(",
        '"\n\\"',
        "f(",
        "! ",
        "a&&",
        "else ",
        "\x7f\n",
    ],
)
@pytest.mark.parametrize("start", ["", "route { ", "route { if ", "route { $var(x) = ", "socket="])
def test_ten_megabytes_of_one_thing_are_cut_with_few_findings(start: str, piece: str) -> None:
    script = read_text(start + piece * (LARGE // len(piece)), FILE)
    assert 0 < len(script.findings) <= 2 * MAXIMUM_FINDINGS + MAXIMUM_HINTS + 1
    for route in script.routes:
        assert list(calls(route.body)) is not None


def test_what_was_not_read_of_a_large_text_is_reported_once() -> None:
    line = 'loadmodule "a"\n'
    script = read_text(line * (LARGE // len(line)), FILE)
    assert codes(script) == [("too-large", MAXIMUM_CHARACTERS // len(line) + 1)]


def test_a_text_of_the_largest_size_is_read_whole() -> None:
    line = f"#{'x' * 98}\n"
    assert codes(read_text(line * (MAXIMUM_CHARACTERS // 100), FILE)) == []


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("if (a()) { ", "}"),
        ("while (a()) ", ""),
        ("if (a()) exit; else ", ""),
    ],
)
def test_nesting_beyond_the_bound_is_reported_once(opening: str, closing: str) -> None:
    depth = MAXIMUM_DEPTH * 3
    found = [code for code, _ in codes(in_route(opening * depth + "exit;" + closing * depth))]
    assert found.count("nested-too-deep") == 1


@pytest.mark.parametrize("inner", ["(", "!", "["])
def test_brackets_in_a_condition_are_bound(inner: str) -> None:
    script = in_route(f"if ({inner * 500}a(){')' * 500}) exit;\nb();")
    assert ("nested-too-deep", 2) in codes(script)


def test_a_long_chain_of_else_ifs_is_read_as_far_as_it_may_go() -> None:
    chain = "if (a()) b();\n" + "else if (a()) { b(); }\n" * 300 + "else c();\nd();"
    script = in_route(chain)
    assert [code for code, _ in codes(script)] == ["nested-too-deep"]
    names = [call.name for call in calls(next(script.routes).body)]
    assert names[:200] == ["a", "b"] * 100
    assert names[-1] == "d"


def test_a_chain_of_conditions_is_bound() -> None:
    script = in_route(f"if (a(){' && a()' * 1000}) b();\nc();")
    assert codes(script) == [("nested-too-deep", 2)]
    assert [call.name for call in calls(next(script.routes).body)] == ["b", "c"]


def test_nesting_within_the_bound_is_read() -> None:
    script = in_route("if (a()) { " * 60 + "b();" + "}" * 60)
    assert codes(script) == []
    assert len(list(calls(next(script.routes).body))) == 61


def test_of_many_things_not_understood_the_first_are_named_and_all_counted() -> None:
    script = in_route("* ;\n" * 50)
    assert script.skipped == 50
    assert codes(script) == [("not-understood", line) for line in range(2, 2 + MAXIMUM_HINTS)]
