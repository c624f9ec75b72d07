"""Loading a large dialplan, and one translation beside the bare calls of the library."""

import time
from collections.abc import Callable

from dialplan.translation.loading import LoadedDialplans, load
from dialplan.translation.outcomes import Bulk
from dialplan.translation.pattern import match_data
from dialplan.translation.rules import RuleRow
from dialplan.translation.translate import translate
from efcp.preview.bulk_translation.job import TranslationReport

RULES = 10_000
NUMBERS = 1_000_000
TIMES = 7
NOW = 1_790_000_000


def measure() -> None:
    """Regex rules of one dialplan, of which only the last matches."""
    rows = [
        RuleRow(
            id=number,
            dpid=1,
            pr=number,
            match_op=1,
            match_exp=f"^00{number:05d}([0-9]+)$",
            subst_exp="^00(.*)$",
            repl_exp="+\\1",
        )
        for number in range(RULES)
    ]
    started = time.perf_counter()
    result = load(rows)
    loading = time.perf_counter() - started
    if not isinstance(result, LoadedDialplans):
        raise SystemExit("The rules do not load.")
    subject = f"00{RULES - 1:05d}555".encode()
    codes = result.dialplans[1].codes
    bare = min(_seconds(lambda: [match_data(code, subject) for code in codes]) for _ in range(TIMES))
    whole = min(_seconds(lambda: translate(result.dialplans, 1, subject, NOW)) for _ in range(TIMES))
    print(
        f"Dialplan of {RULES:,} regex rules: loaded in {loading:.2f} s; "
        f"one translation {1000 * whole:.1f} ms, "
        f"{whole / bare:.2f} times the bare library calls ({1000 * bare:.1f} ms)"
    )


def measure_many() -> None:
    """Different numbers through 1,000 regex rules: of known beginnings, and of none."""
    _measure_numbers(NUMBERS, "^00{:03d}([0-9]+)$", "1,000 regex rules")
    _measure_numbers(NUMBERS // 50, "00{:03d}([0-9]+)$", "1,000 regex rules not anchored, each of them tried")


def _measure_numbers(count: int, expression: str, words: str) -> None:
    rows = [
        RuleRow(
            id=number,
            dpid=1,
            pr=number,
            match_op=1,
            match_exp=expression.format(number),
            subst_exp="^00(.*)$",
            repl_exp="+\\1",
        )
        for number in range(1_000)
    ]
    result = load(rows)
    if not isinstance(result, LoadedDialplans):
        raise SystemExit("The rules do not load.")
    rules = result.dialplans[1]
    bulk, report = Bulk(rules, NOW), TranslationReport(tuple(rules.rules))
    started = time.perf_counter()
    for number in range(count):
        report.add(b"00%09d" % (number * 179_424_673 % 10**9), bulk)
    took = time.perf_counter() - started
    print(f"{count:,} numbers through {words}: {took:.1f} s, {count / took:,.0f} a second")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
