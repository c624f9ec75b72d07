"""A route per group, the route that takes over when a destination failed, and the one that scores."""

from collections.abc import Iterator

from efcp.script.writing.answers import (
    ALGORITHMS,
    FLAGS,
    Answers,
    Dialplan,
    GroupAnswers,
    MarkAction,
    parameter_of,
)
from efcp.script.writing.lines import ScriptLine, block, braced, quoted, quoted_format

_EXIT = ScriptLine("exit;", "Nothing else is done with this call.")
_RELAY = ScriptLine(
    "t_relay();", "The call goes to the destination chosen. Where it cannot be sent, tm answers by itself."
)
_TRANSLATED = "$avp(translated_user)"
_MARKED = {
    MarkAction.PROBING: "It gets no more calls until a probe succeeds.",
    MarkAction.INACTIVE: "It gets no more calls until somebody sets it active again.",
}


def routes_of(answers: Answers) -> Iterator[ScriptLine]:
    """All routes of the groups, those that score once each. The answers must have passed refusals()."""
    for group in answers.groups:
        yield from _route(group, answers.dialplans)
    scoring = {group.parameter for group in answers.groups if parameter_of(group.algorithm) == "algo_route"}
    for name in sorted(scoring):
        yield from _scoring(name)
    for group in answers.groups:
        if group.failure_route:
            yield from _failure_route(group, translated=bool(answers.dialplans))


def reply(function: str, code: int, reason: str, why: str) -> tuple[ScriptLine, ScriptLine]:
    """A final reply, and the end of the route."""
    return ScriptLine(f"{function}({code}, {quoted_format(reason)});", why), _EXIT


def _route(group: GroupAnswers, dialplans: tuple[Dialplan, ...]) -> Iterator[ScriptLine]:
    why = f"Calls for set {group.set_id}. Call it with route({group.route});"
    yield from block(
        why, braced(f"route[{group.route}]", f"Calls for set {group.set_id}.", _body(group, dialplans))
    )


def _body(group: GroupAnswers, dialplans: tuple[Dialplan, ...]) -> Iterator[ScriptLine]:
    for dialplan in dialplans:
        yield from _translated(dialplan)
    if dialplans and group.failure_route and group.try_next:
        yield ScriptLine(
            f"{_TRANSLATED} = $rU;", "Kept for the next try: a failure route sees what was dialled."
        )
    yield ScriptLine(f'xlog("Routing to set {group.set_id} via dispatcher\\n");', "A line in the log.")
    none = reply("send_reply", group.last_code, group.empty_reason, "The set has no active destination.")
    yield from braced(f"if (!{_select(group)})", _choice_comment(group), none)
    yield ScriptLine('xlog("Using destination $du (RURI=$ru)\\n");', "A line in the log: what was chosen.")
    if group.failure_route:
        why = f"When the destination fails, failure_route[{group.failure_route}] takes over."
        yield ScriptLine(_arm(group), why)
    yield _RELAY
    yield _EXIT


def _translated(dialplan: Dialplan) -> Iterator[ScriptLine]:
    why = f"Dialplan {dialplan.dpid} translates the dialled user, $rU, and puts the result in its place."
    none = reply("send_reply", dialplan.code, dialplan.reason, "No rule of the dialplan fits this call.")
    yield from braced(f"if (!dp_translate({dialplan.dpid}, $rU, $rU))", why, none)


def _select(group: GroupAnswers) -> str:
    arguments = [str(group.set_id), str(group.algorithm), quoted(group.flags) if group.flags else ""]
    if group.maximum is not None:
        arguments += ["", str(group.maximum)]
    while not arguments[-1]:
        arguments.pop()
    return f"ds_select_dst({', '.join(arguments)})"


def _choice_comment(group: GroupAnswers) -> str:
    message = [f"A destination of set {group.set_id} is chosen {ALGORITHMS[group.algorithm].words}."]
    if group.flags:
        message.append(f"Flags: {', '.join(FLAGS[flag] for flag in group.flags.lower())}.")
    if group.maximum is not None:
        message.append(f"At most {group.maximum} are tried.")
    return " ".join(message)


def _arm(group: GroupAnswers) -> str:
    return f"t_on_failure({quoted(group.failure_route)});"


def _failure_route(group: GroupAnswers, *, translated: bool) -> Iterator[ScriptLine]:
    why = f"A destination of set {group.set_id} failed."
    yield from block(
        why, braced(f"failure_route[{group.failure_route}]", why, _when_failed(group, translated))
    )


def _when_failed(group: GroupAnswers, translated: bool) -> Iterator[ScriptLine]:
    yield from braced("if (t_was_cancelled())", "The caller has hung up: there is nothing to try.", (_EXIT,))
    yield from braced(f"if ({_failed(group)})", _failure_comment(group), _after_a_failure(group, translated))


def _failed(group: GroupAnswers) -> str:
    terms = []
    if group.failure_codes:
        terms.append(f"t_check_status({quoted(group.failure_codes)})")
    if group.failure_timeouts:
        silent = 't_local_replied("all") && t_check_status("408")'
        terms.append(f"({silent})" if terms else silent)
    return " || ".join(terms)


def _failure_comment(group: GroupAnswers) -> str:
    message = []
    if group.failure_codes:
        message.append(f"a reply whose code matches {group.failure_codes}")
    if group.failure_timeouts:
        message.append("no reply in time, for which tm itself makes a 408")
    return f"What counts as a failure: {', or '.join(message)}. Any other reply goes to the caller."


def _after_a_failure(group: GroupAnswers, translated: bool) -> Iterator[ScriptLine]:
    yield ScriptLine(
        f'xlog("A destination of set {group.set_id} failed with reply $T_reply_code\\n");',
        "A line in the log.",
    )
    if group.mark is not MarkAction.NOTHING:
        yield ScriptLine(f"ds_mark_dst({quoted(group.mark.value)});", _MARKED[group.mark])
    last = reply("t_reply", group.last_code, group.last_reason, "The last reply that the caller gets.")
    if not group.try_next:
        yield from last
        return
    yield from braced(
        "if (!ds_next_dst())", "The next destination of those kept by flag f; none may be left.", last
    )
    if translated:
        why = "The proxy has put the dialled user back; the next destination gets the translated one too."
        yield ScriptLine(f"$rU = {_TRANSLATED};", why)
    yield ScriptLine('xlog("Trying $du next\\n");', "A line in the log: what is tried now.")
    yield ScriptLine(_arm(group), "Armed again: it holds for one try only.")
    yield _RELAY


def _scoring(name: str) -> Iterator[ScriptLine]:
    why = (
        "Asked for the score of each destination by algorithm 10; the lowest is chosen. $param(1) is its "
        "URI, $param(2) its attributes. Give them scores of your own here: as it is, all are equal."
    )
    body = (ScriptLine("return(1);", "The score. Not 0, which would end the script."),)
    yield from block(why, braced(f"route[{name}]", why, body))
