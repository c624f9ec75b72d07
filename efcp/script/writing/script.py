"""The guide's steps 1 to 4 as a file: the module section, a route per group, and the failure routes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from efcp.script.checking.tables import Tables
from efcp.script.writing.answers import Answers
from efcp.script.writing.lines import Line, accepted, block, comment
from efcp.script.writing.modules import mi_section, module_section
from efcp.script.writing.proxy import global_settings, main_route
from efcp.script.writing.refusing import Refusal, refusals
from efcp.script.writing.routes import routes_of
from efcp.script.writing.sizing import Memory, memory_for


@dataclass(frozen=True, slots=True)
class Written:
    """A script, line by line with the reasons; or, without lines, why none was written."""

    lines: tuple[Line, ...]
    refusals: tuple[Refusal, ...] = ()

    @property
    def explained(self) -> tuple[Line, ...]:
        """The lines with their reasons where these say more than the line itself or the one before it."""
        return tuple(
            replace(line, why="") if _says_it_itself(line) or line.why == before.why else line
            for before, line in pairwise((Line("", ""), *self.lines))
        )

    @property
    def text(self) -> str:
        """The file."""
        return "".join(f"{line.text}\n" for line in self.lines)


def _says_it_itself(line: Line) -> bool:
    text = line.text.strip()
    return text in {"}", "exit;"} or (text.startswith("# ") and "efcp: accept" not in text)


def write(answers: Answers, tables: Tables | None = None) -> Written:
    """The script of these answers, with memory that fits the tables; refusals where there is no sound one.

    Without `minimal` it is what to add to a file that has a main route of its own.
    """
    refused = refusals(answers)
    if refused:
        return Written((), refused)
    lines = tuple(_lines(answers, memory_for(tables)))
    return Written(lines[:-1])


def mi_lines(answers: Answers, tables: Tables | None = None) -> str:
    """The lines by which the panel reaches a proxy, to paste into a file that has none of these modules."""
    return "\n".join(line.text for line in mi_section(answers, memory_for(tables)))


def _lines(answers: Answers, memory: Memory) -> Iterator[Line]:
    if not answers.minimal:
        yield accepted("fragment", "to be put into a file that has a main route")
    yield from block(_head(answers), _start(memory) if answers.minimal else ())
    yield from global_settings(answers)
    yield from module_section(answers, memory)
    if answers.minimal:
        yield from main_route(answers)
    yield from routes_of(answers)


def _head(answers: Answers) -> str:
    if answers.minimal:
        return f"A proxy of OpenSIPS {answers.version} for the sets of the dispatcher."
    return (
        f"For OpenSIPS {answers.version}: modules and routes for the sets of the dispatcher. Leave out the "
        "modules that your file loads already: none may be loaded twice."
    )


def _start(memory: Memory) -> Iterator[Line]:
    yield from comment(
        f"Start it with: opensips -m {memory.shared} -M {memory.private} (megabytes of shared and of private "
        "memory, which fit the table)."
    )
