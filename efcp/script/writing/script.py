"""The guide's steps 1 to 4 as a file: global settings, modules, a route per group, failure routes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from efcp.script.checking.overview import TableFacts
from efcp.script.writing.answers import Answers, GroupAnswers
from efcp.script.writing.lines import ScriptLine, accepted, block, braced, comment, quoted
from efcp.script.writing.modules import MemorySizes, memory_for, mi_section, module_section
from efcp.script.writing.refusals import RefusedAnswer, refusals
from efcp.script.writing.routes import reply, routes_of

_EXIT = ScriptLine("exit;", "Nothing else is done with this request.")
_RELAY = ScriptLine("t_relay();", "It goes on along the path of its call.")


def global_settings(answers: Answers) -> Iterator[ScriptLine]:
    """The settings that stand before the modules."""
    if answers.module_path:
        folder = answers.module_path.rstrip("/") + "/"
        yield from block(
            "Where the modules are.", (ScriptLine(f"mpath={quoted(folder)}", "Where the modules are."),)
        )
    if answers.minimal:
        yield from block("The proxy itself.", _settings(answers))


def _settings(answers: Answers) -> Iterator[ScriptLine]:
    yield ScriptLine("log_level=3", "Errors, warnings and what is worth knowing.")
    yield ScriptLine("udp_workers=4", "Processes that handle requests over UDP.")
    yield ScriptLine(f"socket={answers.socket}", "Where the proxy listens for SIP.")


def main_route(answers: Answers) -> Iterator[ScriptLine]:
    """The route that every request enters. The answers must have passed refusals()."""
    why = "Every request enters here."
    yield from block(why, braced("route", why, _main(answers)))


def _main(answers: Answers) -> Iterator[ScriptLine]:
    too_many_hops = reply("send_reply", 483, "Too Many Hops", "It has passed too many proxies.")
    yield from braced("if (!mf_process_maxfwd_header(10))", "Requests that loop end here.", too_many_hops)
    yield from braced("if (has_totag())", "A request within a call that is set up.", _in_dialog())
    cancel = (*_if_known(), _EXIT)
    yield from braced('if (is_method("CANCEL"))', "It ends a call that is being set up here.", cancel)
    yield ScriptLine("t_check_trans();", "A request sent again is answered as before, and ends here.")
    alive = reply("send_reply", 200, "OK", "It is asked whether it is there.")
    yield from braced('if (is_method("OPTIONS") && $rU == NULL)', "A probe of this proxy.", alive)
    denied = reply("send_reply", 403, "Preload Route denied", "The caller chose the path: refused.")
    yield from braced("if (loose_route())", "A first request must not bring a path along.", denied)
    stay = (ScriptLine("record_route();", "Later requests of the call pass here too."),)
    yield from braced('if (is_method("INVITE"))', "A call begins.", stay)
    yield from _choice(answers.groups)


def _in_dialog() -> Iterator[ScriptLine]:
    on = (_RELAY, _EXIT)
    yield from braced("if (loose_route())", "It names its path, which leads through here.", on)
    ack = (*_if_known(), _EXIT)
    yield from braced('if (is_method("ACK"))', "The end of a call that was refused here.", ack)
    yield from reply("send_reply", 404, "Not Here", "No call of this proxy.")


def _if_known() -> Iterator[ScriptLine]:
    yield from braced("if (t_check_trans())", "Only where its call is known here.", (_RELAY,))


def _choice(groups: tuple[GroupAnswers, ...]) -> Iterator[ScriptLine]:
    """The longest prefix first, and last the group that takes the rest."""
    for group in sorted(groups, key=lambda group: -len(group.prefix)):
        call = ScriptLine(
            f"route({group.route});", f"The calls of set {group.set_id}. It does not come back."
        )
        if not group.prefix:
            yield call
            return
        pattern = quoted("^" + group.prefix.replace("+", "[+]"))
        yield from braced(f"if ($rU =~ {pattern})", f"Dialled users that begin with {group.prefix}.", (call,))
    yield from reply("send_reply", 404, "Not Found", "No group takes this call.")


@dataclass(frozen=True, slots=True)
class WrittenScript:
    """A script, line by line with the reasons; or, without lines, why none was written."""

    lines: tuple[ScriptLine, ...]
    refusals: tuple[RefusedAnswer, ...] = ()

    @property
    def explained(self) -> tuple[ScriptLine, ...]:
        """The lines with their reasons where these say more than the line itself or the one before it."""
        return tuple(
            replace(line, why="") if _is_self_explanatory(line) or line.why == before.why else line
            for before, line in pairwise((ScriptLine("", ""), *self.lines))
        )

    @property
    def text(self) -> str:
        """The file."""
        return "".join(f"{line.text}\n" for line in self.lines)


def _is_self_explanatory(line: ScriptLine) -> bool:
    text = line.text.strip()
    return text in {"}", "exit;"} or (text.startswith("# ") and "efcp: accept" not in text)


def write(answers: Answers, tables: TableFacts | None = None) -> WrittenScript:
    """The script of these answers, with memory that fits the tables; refusals where there is no sound one.

    Without `minimal` it is what to add to a file that has a main route of its own.
    """
    refused = refusals(answers)
    if refused:
        return WrittenScript((), refused)
    lines = tuple(_lines(answers, memory_for(tables)))
    return WrittenScript(lines[:-1])


def mi_lines(answers: Answers, tables: TableFacts | None = None) -> str:
    """The lines by which the panel reaches a proxy, to paste into a file that has none of these modules."""
    return "\n".join(line.text for line in mi_section(answers, memory_for(tables)))


def _lines(answers: Answers, memory: MemorySizes) -> Iterator[ScriptLine]:
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


def _start(memory: MemorySizes) -> Iterator[ScriptLine]:
    yield from comment(
        f"Start it with: opensips -m {memory.shared} -M {memory.private} (megabytes of shared and of private "
        "memory, which fit the table)."
    )
