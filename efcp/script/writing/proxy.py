"""What makes a whole proxy of the groups: the global settings, and the main route that calls them."""

from collections.abc import Iterator

from efcp.script.writing.answers import Answers, Group
from efcp.script.writing.lines import Line, block, braced
from efcp.script.writing.quoting import quoted
from efcp.script.writing.routes import reply

_EXIT = Line("exit;", "Nothing else is done with this request.")
_RELAY = Line("t_relay();", "It goes on along the path of its call.")


def global_settings(answers: Answers) -> Iterator[Line]:
    """The settings that stand before the modules."""
    if answers.module_path:
        folder = answers.module_path.rstrip("/") + "/"
        yield from block(
            "Where the modules are.", (Line(f"mpath={quoted(folder)}", "Where the modules are."),)
        )
    if answers.minimal:
        yield from block("The proxy itself.", _settings(answers))


def _settings(answers: Answers) -> Iterator[Line]:
    yield Line("log_level=3", "Errors, warnings and what is worth knowing.")
    yield Line("udp_workers=4", "Processes that handle requests over UDP.")
    yield Line(f"socket={answers.socket}", "Where the proxy listens for SIP.")


def main_route(answers: Answers) -> Iterator[Line]:
    """The route that every request enters. The answers must have passed refusals()."""
    why = "Every request enters here."
    yield from block(why, braced("route", why, _main(answers)))


def _main(answers: Answers) -> Iterator[Line]:
    circle = reply("send_reply", 483, "Too Many Hops", "It has passed too many proxies.")
    yield from braced("if (!mf_process_maxfwd_header(10))", "Requests that go in a circle end here.", circle)
    yield from braced("if (has_totag())", "A request within a call that is set up.", _in_dialog())
    cancel = (*_if_known(), _EXIT)
    yield from braced('if (is_method("CANCEL"))', "It ends a call that is being set up here.", cancel)
    yield Line("t_check_trans();", "A request sent again is answered as before, and ends here.")
    alive = reply("send_reply", 200, "OK", "It is asked whether it is there.")
    yield from braced('if (is_method("OPTIONS") && $rU == NULL)', "A probe of this proxy.", alive)
    denied = reply("send_reply", 403, "Preload Route denied", "The caller chose the path: refused.")
    yield from braced("if (loose_route())", "A first request must not bring a path along.", denied)
    stay = (Line("record_route();", "Later requests of the call pass here too."),)
    yield from braced('if (is_method("INVITE"))', "A call begins.", stay)
    yield from _choice(answers.groups)


def _in_dialog() -> Iterator[Line]:
    on = (_RELAY, _EXIT)
    yield from braced("if (loose_route())", "It names its path, which leads through here.", on)
    ack = (*_if_known(), _EXIT)
    yield from braced('if (is_method("ACK"))', "The end of a call that was refused here.", ack)
    yield from reply("send_reply", 404, "Not Here", "No call of this proxy.")


def _if_known() -> Iterator[Line]:
    yield from braced("if (t_check_trans())", "Only where its call is known here.", (_RELAY,))


def _choice(groups: tuple[Group, ...]) -> Iterator[Line]:
    """The longest prefix first, and last the group that takes the rest."""
    for group in sorted(groups, key=lambda group: -len(group.prefix)):
        call = Line(f"route({group.route});", f"The calls of set {group.set_id}. It does not come back.")
        if not group.prefix:
            yield call
            return
        pattern = quoted("^" + group.prefix.replace("+", "[+]"))
        yield from braced(f"if ($rU =~ {pattern})", f"Dialled users that begin with {group.prefix}.", (call,))
    yield from reply("send_reply", 404, "Not Found", "No group takes this call.")
