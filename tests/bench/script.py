"""How long the check of a long script takes."""

import time

from efcp.script.checking.check import check
from efcp.script.checking.overview import SetFacts, TableFacts
from efcp.script.knowledge.facts import knowledge_of
from efcp.script.language.reading import read_text
from efcp.script.writing.answers import Answers, GroupAnswers
from efcp.script.writing.script import write

LINES = 5_000


def measure() -> None:
    """Write a whole proxy of as many groups as make LINES lines, and check it."""
    groups: list[GroupAnswers] = []
    text = ""
    while text.count("\n") < LINES:
        for _ in range(20):
            number = len(groups) + 1
            groups.append(
                GroupAnswers(f"to_{number}", number, failure_route=f"failed_{number}", prefix=str(number))
            )
        text = write(Answers(version="3.6", groups=tuple(groups), minimal=True)).text
    tables = TableFacts(sets={group.set_id: SetFacts(2, 2) for group in groups})
    knowledge = knowledge_of("3.6")
    started = time.perf_counter()
    script = read_text(text, "opensips.cfg")
    parsed = time.perf_counter()
    checked = check(script, knowledge, tables)
    ended = time.perf_counter()
    print(
        f"Checking {text.count(chr(10)):,} lines of opensips.cfg: {ended - started:.2f} s "
        f"(reading {parsed - started:.2f} s), {len(checked.findings)} findings"
    )
