"""A route per group, the route that takes over when a destination failed, and the one that scores."""

from collections.abc import Iterator

from efcp.script.writing.algorithms import ALGORITHMS, FLAGS, parameter_of
from efcp.script.writing.answers import Answers, Dialplan, Group, Mark
from efcp.script.writing.lines import Line, block, braced
from efcp.script.writing.quoting import quoted, quoted_format

_EXIT = Line("exit;", "Nothing else is done with this call.")
_RELAY = Line(
    "t_relay();", "The call goes to the destination chosen. Where it cannot be sent, tm answers by itself."
)
_TRANSLATED = "$avp(translated_user)"
_MARKED = {
    Mark.PROBING: "It gets no more calls until a probe succeeds.",
    Mark.INACTIVE: "It gets no more calls until somebody sets it active again.",
}


def routes_of(answers: Answers) -> Iterator[Line]:
    """All routes of the groups, those that score once each. The answers must have passed refusals()."""
    for group in answers.groups:
        yield from _route(group, answers.dialplans)
    scoring = {group.parameter for group in answers.groups if parameter_of(group.algorithm) == "algo_route"}
    for name in sorted(scoring):
        yield from _scoring(name)
    for group in answers.groups:
        if group.failure_route:
            yield from _failure_route(group, translated=bool(answers.dialplans))


def reply(function: str, code: int, reason: str, why: str) -> tuple[Line, Line]:
    """A final reply, and the end of the route."""
    return Line(f"{function}({code}, {quoted_format(reason)});", why), _EXIT


def _route(group: Group, dialplans: tuple[Dialplan, ...]) -> Iterator[Line]:
    why = f"Calls for set {group.set_id}. Call it with route({group.route});"
    yield from block(
        why, braced(f"route[{group.route}]", f"Calls for set {group.set_id}.", _body(group, dialplans))
    )


def _body(group: Group, dialplans: tuple[Dialplan, ...]) -> Iterator[Line]:
    for dialplan in dialplans:
        yield from _translated(dialplan)
    if dialplans and group.failure_route and group.try_next:
        yield Line(f"{_TRANSLATED} = $rU;", "Kept for the next try: a failure route sees what was dialled.")
    yield Line(f'xlog("Routing to set {group.set_id} via dispatcher\\n");', "A line in the log.")
    none = reply("send_reply", group.last_code, group.empty_reason, "The set has no active destination.")
    yield from braced(f"if (!{_select(group)})", _said_of_choice(group), none)
    yield Line('xlog("Using destination $du (RURI=$ru)\\n");', "A line in the log: what was chosen.")
    if group.failure_route:
        why = f"When the destination fails, failure_route[{group.failure_route}] takes over."
        yield Line(_arm(group), why)
    yield _RELAY
    yield _EXIT


def _translated(dialplan: Dialplan) -> Iterator[Line]:
    why = f"Dialplan {dialplan.dpid} translates the dialled user, $rU, and puts the result in its place."
    none = reply("send_reply", dialplan.code, dialplan.reason, "No rule of the dialplan fits this call.")
    yield from braced(f"if (!dp_translate({dialplan.dpid}, $rU, $rU))", why, none)


def _select(group: Group) -> str:
    arguments = [str(group.set_id), str(group.algorithm), quoted(group.flags) if group.flags else ""]
    if group.maximum is not None:
        arguments += ["", str(group.maximum)]
    while not arguments[-1]:
        arguments.pop()
    return f"ds_select_dst({', '.join(arguments)})"


def _said_of_choice(group: Group) -> str:
    said = [f"A destination of set {group.set_id} is chosen {ALGORITHMS[group.algorithm].words}."]
    if group.flags:
        said.append(f"Flags: {', '.join(FLAGS[flag] for flag in group.flags.lower())}.")
    if group.maximum is not None:
        said.append(f"At most {group.maximum} are tried.")
    return " ".join(said)


def _arm(group: Group) -> str:
    return f"t_on_failure({quoted(group.failure_route)});"


def _failure_route(group: Group, *, translated: bool) -> Iterator[Line]:
    why = f"A destination of set {group.set_id} failed."
    yield from block(
        why, braced(f"failure_route[{group.failure_route}]", why, _when_failed(group, translated))
    )


def _when_failed(group: Group, translated: bool) -> Iterator[Line]:
    yield from braced("if (t_was_cancelled())", "The caller has hung up: there is nothing to try.", (_EXIT,))
    yield from braced(f"if ({_failed(group)})", _said_of_failure(group), _after_a_failure(group, translated))


def _failed(group: Group) -> str:
    terms = []
    if group.failure_codes:
        terms.append(f"t_check_status({quoted(group.failure_codes)})")
    if group.failure_timeouts:
        silent = 't_local_replied("all") && t_check_status("408")'
        terms.append(f"({silent})" if terms else silent)
    return " || ".join(terms)


def _said_of_failure(group: Group) -> str:
    said = []
    if group.failure_codes:
        said.append(f"a reply whose code matches {group.failure_codes}")
    if group.failure_timeouts:
        said.append("no reply in time, for which tm itself makes a 408")
    return f"What counts as a failure: {', or '.join(said)}. Any other reply goes to the caller."


def _after_a_failure(group: Group, translated: bool) -> Iterator[Line]:
    yield Line(
        f'xlog("A destination of set {group.set_id} failed with reply $T_reply_code\\n");',
        "A line in the log.",
    )
    if group.mark is not Mark.NOTHING:
        yield Line(f"ds_mark_dst({quoted(group.mark.value)});", _MARKED[group.mark])
    last = reply("t_reply", group.last_code, group.last_reason, "The last reply that the caller gets.")
    if not group.try_next:
        yield from last
        return
    yield from braced(
        "if (!ds_next_dst())", "The next destination of those kept by flag f; none may be left.", last
    )
    if translated:
        why = "The proxy has put the dialled user back; the next destination gets the translated one too."
        yield Line(f"$rU = {_TRANSLATED};", why)
    yield Line('xlog("Trying $du next\\n");', "A line in the log: what is tried now.")
    yield Line(_arm(group), "Armed again: it holds for one try only.")
    yield _RELAY


def _scoring(name: str) -> Iterator[Line]:
    why = (
        "Asked for the score of each destination by algorithm 10; the lowest is chosen. $param(1) is its "
        "URI, $param(2) its attributes. Give them scores of your own here: as it is, all are equal."
    )
    body = (Line("return(1);", "The score. Not 0, which would end the script."),)
    yield from block(why, braced(f"route[{name}]", why, body))
