"""The lines of a checked script as its page shows them: numbered, with what was found at each."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from efcp.script.findings import ScriptFinding

MOST_LINES = 2000
"""Lines shown; of a longer script only those around findings are."""

AROUND = 4
LONGEST_LINE = 500
"""Characters of a line that are shown."""


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """A line of the script; `is_apart` where lines before it are left out."""

    number: int
    text: str
    findings: tuple[ScriptFinding, ...] = ()
    is_apart: bool = False

    @property
    def look(self) -> str:
        """The worst severity found at it: "error", "warning" or "hint"; empty for none."""
        return min((each.severity.value for each in self.findings), key=_RANKS.index, default="")


_RANKS = ("error", "warning", "hint")


def numbered_lines(
    script: str | bytes, file: str, findings: Sequence[ScriptFinding]
) -> tuple[NumberedLine, ...]:
    """The lines of a script that findings call `file`; at most MOST_LINES, none of what is no text."""
    if isinstance(script, bytes):
        script = "" if b"\0" in script else script.decode("utf-8", "replace")
    at: dict[int, list[ScriptFinding]] = defaultdict(list)
    for finding in findings:
        if finding.place.file == file:
            at[finding.place.line].append(finding)
    lines = script.split("\n")
    shown = range(1, len(lines) + 1) if len(lines) <= MOST_LINES else _around(at, len(lines))
    return tuple(_numbered(lines, at, shown))


def _around(at: dict[int, list[ScriptFinding]], last: int) -> list[int]:
    near = {number for line in at for number in range(line - AROUND, line + AROUND + 1)}
    return sorted(number for number in near if 1 <= number <= last)[:MOST_LINES]


def _numbered(
    lines: Sequence[str], at: dict[int, list[ScriptFinding]], shown: Sequence[int]
) -> Iterator[NumberedLine]:
    before = 0
    for number in shown:
        text = lines[number - 1][:LONGEST_LINE]
        yield NumberedLine(number, text, tuple(at.get(number, ())), number != before + 1)
        before = number
