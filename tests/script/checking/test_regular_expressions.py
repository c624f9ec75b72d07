"""Which regular expressions glibc compiles: the proxy uses its regcomp with REG_EXTENDED (route.c)."""

import ctypes
import random
from ctypes.util import find_library
from functools import cache

import pytest

from efcp.script.checking.regular_expressions import problem_of

_FLAGS = 1 | 2 | 8
"""REG_EXTENDED, REG_ICASE, REG_NOSUB."""
_PARTS = [
    *"ab(())[[]]{}*+?|^$.,-:\\",
    "[[:digit:]]",
    "[a-f]",
    "[f-a]",
    "{2}",
    "{1,3}",
    "{3,1}",
    "{,2}",
    "\\.",
    "(ab)",
]
"""No digits besides: repeats of repeats take regcomp long."""


@cache
def library() -> ctypes.CDLL:
    name = find_library("c")
    if name is None or "musl" in name:
        pytest.skip("This machine has no glibc.")
    return ctypes.CDLL(name)


def compiles(pattern: str) -> bool:
    libc = library()
    compiled = ctypes.create_string_buffer(512)
    if libc.regcomp(compiled, pattern.encode(), _FLAGS) != 0:
        return False
    libc.regfree(compiled)
    return True


@pytest.mark.parametrize("seed", range(8))
def test_findings_on_a_pattern_are_what_glibc_does(seed: int) -> None:
    """Between square brackets the locale decides some: there no finding may be wrong."""
    draw = random.Random(seed)
    for _ in range(1_000):
        pattern = "".join(draw.choice(_PARTS) for _ in range(draw.randint(1, 7)))
        if compiles(pattern):
            assert problem_of(pattern) == "", pattern
        elif "[" not in pattern:
            assert problem_of(pattern), pattern


@pytest.mark.parametrize(
    "pattern", ["\\1", "(a\\1)", "(a)\\2", "a\\", "[[:nosuch:]]", "(a)\\1", "", "a**", "()", "a\\b*"]
)
def test_a_pattern_of_another_kind_is_judged_as_glibc_does(pattern: str) -> None:
    assert (problem_of(pattern) == "") is compiles(pattern)
