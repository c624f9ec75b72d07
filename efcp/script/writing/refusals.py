"""Answers of which no sound script can be written; each is reported with its places before any writing."""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from efcp.script.knowledge.facts import VERSIONS, knowledge_of
from efcp.script.writing.answers import (
    ALGORITHMS,
    FLAGS,
    Answers,
    Dialplan,
    GroupAnswers,
    MarkAction,
    parameter_of,
)
from efcp.script.writing.lines import is_safe
from efcp.script.writing.modules import database_url


@dataclass(frozen=True, slots=True)
class RefusedAnswer:
    """Why nothing is written. `places` are the answers that it is about, as "groups.0.set_id"."""

    text: str
    places: tuple[str, ...]


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_SIP_ADDRESS = re.compile(r"sips?:[^\s\"'\\;?]+")
_CODES = re.compile(r"[0-9\[\]|().-]{1,64}")
_PREFIX = re.compile(r"\+?[0-9A-Za-z_-]{0,32}")
_FOLDER = re.compile(r"/[A-Za-z0-9_./+-]*")
_SOCKET = re.compile(r"(?:udp|tcp):(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9.]+):(?P<port>[0-9]{1,5})")
_LARGEST_NUMBER = 2**31 - 1
_ONE_DAY = 86_400


def _refuse(text: str, *places: str) -> RefusedAnswer:
    return RefusedAnswer(text, places)


def refusals(answers: Answers) -> tuple[RefusedAnswer, ...]:
    """Everything that speaks against writing these answers, in the order of the form; nothing if sound."""
    return tuple(_all(answers))


def _all(answers: Answers) -> Iterator[RefusedAnswer]:
    if answers.version not in VERSIONS:
        yield _refuse(f"The version must be one of {', '.join(VERSIONS)}.", "version")
        return
    yield from _of_probing(answers)
    yield from _of_places(answers)
    for index, dialplan in enumerate(answers.dialplans):
        yield from _of_dialplan(dialplan, f"dialplans.{index}")
    if not answers.groups:
        yield _refuse("At least one group of destinations is needed.", "groups")
    for index, group in enumerate(answers.groups):
        yield from _of_group(group, f"groups.{index}", answers)
    yield from _of_several(answers)


def _of_probing(answers: Answers) -> Iterator[RefusedAnswer]:
    if not 0 <= answers.probing_interval <= _ONE_DAY:
        yield _refuse("The probing interval must be 0 to 86400 seconds.", "probing_interval")
    if not 1 <= answers.threshold <= _LARGEST_NUMBER:
        yield _refuse("The threshold must be at least one failure.", "threshold")
    if answers.probing_mode not in (0, 1):
        yield _refuse("The probing mode must be 0 or 1.", "probing_mode")
    if not (_SIP_ADDRESS.fullmatch(answers.probing_from) and is_safe(answers.probing_from)):
        yield _refuse(
            "The From of probes must be a SIP address such as sip:ds@sip.example.com.", "probing_from"
        )
    if not all(200 <= code <= 699 for code in answers.reply_codes):
        yield _refuse("A reply code that counts as alive must be 200 to 699.", "reply_codes")


def _of_places(answers: Answers) -> Iterator[RefusedAnswer]:
    if database_url(answers.database_url) is None or not is_safe(answers.database_url):
        text = (
            "The database must be a URL such as mysql://user:password@host/name, without quotes and blanks."
        )
        yield _refuse(text, "database_url")
    if answers.module_path and not _FOLDER.fullmatch(answers.module_path):
        yield _refuse("The folder of the modules must be an absolute path of plain letters.", "module_path")
    if not answers.minimal:
        return
    if not _is_socket(answers.socket):
        yield _refuse(
            "The socket must be a protocol, an address and a port, as udp:127.0.0.1:5060.", "socket"
        )
    if not 1 <= answers.mi_port <= 65535:
        yield _refuse("The port of MI must be 1 to 65535.", "mi_port")


def _is_socket(text: str) -> bool:
    match = _SOCKET.fullmatch(text)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        return False
    try:
        address = ip_address(match["host"].strip("[]"))
    except ValueError:
        return False
    return (address.version == 6) == match["host"].startswith("[")


def _of_dialplan(dialplan: Dialplan, place: str) -> Iterator[RefusedAnswer]:
    if not 0 <= dialplan.dpid <= _LARGEST_NUMBER:
        yield _refuse("A dialplan ID must be 0 or more.", f"{place}.dpid")
    yield from _of_reply(dialplan.code, dialplan.reason, f"{place}.code", f"{place}.reason")


def _of_reply(code: int, reason: str, code_place: str, reason_place: str) -> Iterator[RefusedAnswer]:
    if not 300 <= code <= 699:
        yield _refuse("The code of a last reply must be 300 to 699.", code_place)
    if not reason.strip() or not is_safe(reason):
        yield _refuse("A reason must be a text without quotes, backslashes and line breaks.", reason_place)


def _of_group(group: GroupAnswers, place: str, answers: Answers) -> Iterator[RefusedAnswer]:
    yield from _of_names(group, place, answers.version)
    yield from _of_choice(group, place)
    yield from _of_reply(group.last_code, group.last_reason, f"{place}.last_code", f"{place}.last_reason")
    if not group.empty_reason.strip() or not is_safe(group.empty_reason):
        text = "A reason must be a text without quotes, backslashes and line breaks."
        yield _refuse(text, f"{place}.empty_reason")
    if not _PREFIX.fullmatch(group.prefix):
        yield _refuse("A prefix must be digits or letters, with a + before them at most.", f"{place}.prefix")
    if group.failure_route:
        yield from _of_failure(group, place, answers.probing_interval)


def _of_names(group: GroupAnswers, place: str, version: str) -> Iterator[RefusedAnswer]:
    known = knowledge_of(version)
    taken = known.words | known.settings.keys()
    names = [(group.route, "route")]
    if group.failure_route:
        names.append((group.failure_route, "failure_route"))
    if parameter_of(group.algorithm) == "algo_route":
        names.append((group.parameter, "parameter"))
    for name, field in names:
        if not _NAME.fullmatch(name) or name in taken:
            text = "A route's name must be one word of letters, digits and _, and not a word of the language."
            yield _refuse(text, f"{place}.{field}")


def _of_choice(group: GroupAnswers, place: str) -> Iterator[RefusedAnswer]:
    if not 0 <= group.set_id <= _LARGEST_NUMBER:
        yield _refuse("A set ID must be 0 or more: a negative one can never be selected.", f"{place}.set_id")
    if group.algorithm not in ALGORITHMS:
        yield _refuse(f"Algorithm {group.algorithm} is unknown; there are 0 to 10.", f"{place}.algorithm")
    if not set(group.flags.lower()) <= FLAGS.keys() or len(set(group.flags.lower())) < len(group.flags):
        yield _refuse("The flags must be some of f, u, d and a, each once.", f"{place}.flags")
    if group.maximum is not None and not 1 <= group.maximum <= _LARGEST_NUMBER:
        yield _refuse("The maximum of destinations must be at least 1.", f"{place}.maximum")
    if group.maximum is not None and not group.keeps_the_rest:
        text = "A maximum has no meaning without flag f, which keeps more than one destination."
        yield _refuse(text, f"{place}.maximum", f"{place}.flags")
    if not _has_its_parameter(group):
        text = f"Algorithm {group.algorithm} needs {ALGORITHMS[group.algorithm].needs}."
        yield _refuse(text, f"{place}.parameter")


def _has_its_parameter(group: GroupAnswers) -> bool:
    parameter = parameter_of(group.algorithm)
    if not parameter:
        return True
    if parameter == "algo_route":
        return bool(group.parameter)
    return is_safe(group.parameter) and re.search(r"\$[A-Za-z(]", group.parameter) is not None


def _of_failure(group: GroupAnswers, place: str, interval: int) -> Iterator[RefusedAnswer]:
    if not group.failure_codes and not group.failure_timeouts:
        text = "Nothing counts as a failure: give reply codes, or let a missing reply count."
        yield _refuse(text, f"{place}.failure_codes", f"{place}.failure_timeouts")
    if group.failure_codes and not _is_pattern_of_codes(group.failure_codes):
        text = "What counts as a failure must be an expression that matches reply codes, as [56][0-9][0-9]."
        yield _refuse(text, f"{place}.failure_codes")
    if group.mark is MarkAction.PROBING and not interval:
        text = "Without probing, a destination marked as probing never comes back."
        yield _refuse(text, "probing_interval", f"{place}.mark")
    if group.try_next and not group.keeps_the_rest:
        text = "The next destination can only be tried with flag f, which keeps the others."
        yield _refuse(text, f"{place}.flags", f"{place}.try_next")


def _is_pattern_of_codes(pattern: str) -> bool:
    if not _CODES.fullmatch(pattern):
        return False
    try:
        expression = re.compile(pattern)
    except re.error:
        return False
    return any(expression.search(str(code)) for code in range(300, 700))


def _of_several(answers: Answers) -> Iterator[RefusedAnswer]:
    numbered = tuple(enumerate(answers.groups))
    sets = ((f"groups.{index}.set_id", group.set_id) for index, group in numbered)
    yield from _shared(sets, lambda value: f"Set {value} belongs to more than one group: each needs its own.")
    routes = [(f"groups.{index}.route", group.route) for index, group in numbered]
    routes += {
        group.parameter: (f"groups.{index}.parameter", group.parameter)
        for index, group in numbered
        if parameter_of(group.algorithm) == "algo_route"
    }.values()
    yield from _shared(routes, lambda value: f"More than one route is named {value}.")
    armed = [
        (f"groups.{index}.failure_route", group.failure_route)
        for index, group in numbered
        if group.failure_route
    ]
    yield from _shared(armed, lambda value: f"More than one failure route is named {value}.")
    dialplans = ((f"dialplans.{index}.dpid", plan.dpid) for index, plan in enumerate(answers.dialplans))
    yield from _shared(dialplans, lambda value: f"Dialplan {value} is asked twice.")
    yield from _of_one_parameter(answers)
    if answers.minimal:
        prefixes = ((f"groups.{index}.prefix", group.prefix) for index, group in numbered)
        yield from _shared(prefixes, _prefix_message)


def _prefix_message(prefix: Hashable) -> str:
    if prefix:
        return f"More than one group takes the calls that begin with {prefix}."
    return "Only one group can take the rest of the calls: give the others a prefix."


def _of_one_parameter(answers: Answers) -> Iterator[RefusedAnswer]:
    """The proxy knows each of these parameters once, so that two groups cannot ask for different ones."""
    by_name: dict[str, dict[str, str]] = defaultdict(dict)
    for index, group in enumerate(answers.groups):
        if name := parameter_of(group.algorithm):
            by_name[name].setdefault(group.parameter, f"groups.{index}.parameter")
    for name, values in by_name.items():
        if len(values) > 1:
            text = f"All groups share one {name}: they cannot ask for different ones."
            yield RefusedAnswer(text, tuple(values.values()))


def _shared(
    found: Iterable[tuple[str, Hashable]], message: Callable[[Hashable], str]
) -> Iterator[RefusedAnswer]:
    """A refusal for each value that is in more than one place."""
    places: dict[Hashable, list[str]] = defaultdict(list)
    for place, value in found:
        places[value].append(place)
    for value, where in places.items():
        if len(where) > 1:
            yield RefusedAnswer(message(value), tuple(where))
