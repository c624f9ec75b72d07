"""Module parameters: unknown, of a wrong type, too early, of an old name, or of a value that is refused."""

import re
from collections.abc import Callable, Iterator, Mapping

from efcp.releases import RELEASE_4_0
from efcp.script.checking.modules import is_no_listener
from efcp.script.checking.overview import Overview, is_plain, matching
from efcp.script.checking.variables import lookup, problems
from efcp.script.findings import ScriptFinding, ScriptSeverity, error, hint, likely, warning
from efcp.script.knowledge.facts import ModuleFacts, ParameterFacts, ParameterType, renamed
from efcp.script.language.syntax import ModuleParameter
from efcp.script.language.variables import reference, references

_EFFECT = "the proxy does not start"


def without_module(overview: Overview) -> Iterator[ScriptFinding]:
    """A parameter of no module that is loaded above it: the proxy does not start (modparam.c)."""
    for parameter in overview.script.parameters:
        if overview.is_whole or is_plain(parameter):
            yield from _of_module(overview, parameter)


def _of_module(overview: Overview, parameter: ModuleParameter) -> Iterator[ScriptFinding]:
    loaded = matching(parameter, overview.loaded_in_small)
    if loaded is None:
        return
    position = overview.order[id(parameter)]
    if any(overview.order[id(overview.loaded[name])] < position for name in loaded):
        return
    if loaded:
        module = overview.loaded[loaded[0]]
        text = f"{module.name} is loaded below this line: {_EFFECT}. Put this parameter after its loadmodule."
        yield error("parameter-early", parameter.place, text, (module.place,))
    elif overview.is_whole:
        text = f"No module {parameter.pattern[:60]} is loaded: {_EFFECT}. Load it above, or remove this line."
        yield error("parameter-without-module", parameter.place, text)


def names_and_types(overview: Overview) -> Iterator[ScriptFinding]:
    """Every module that the parameter is for must have it, of this type (param_export_t of each module)."""
    unknown = 0
    for parameter in overview.script.parameters:
        for module in _described(overview, parameter):
            known = module.parameters.get(parameter.name)
            if known is None:
                yield _unknown(overview, parameter, module, unknown)
                unknown += 1
            else:
                yield from _of_known(parameter, known)
                yield from _warned_of(parameter, module)


def _described(overview: Overview, parameter: ModuleParameter) -> tuple[ModuleFacts, ...]:
    """The modules that a parameter is for, as far as they are described. Of several only those that are
    loaded count."""
    modules = overview.knowledge.modules
    names = overview.described(parameter)
    loaded = tuple(name for name in names if name in overview.loaded)
    if not loaded and len(names) > 1:
        return ()
    return tuple(modules[name] for name in loaded or names)


def _unknown(
    overview: Overview, parameter: ModuleParameter, module: ModuleFacts, suggested: int
) -> ScriptFinding:
    version, name = overview.knowledge.version, parameter.name[:60]
    text = f"{module.name} of OpenSIPS {version} has no parameter {name}: {_EFFECT}."
    now = renamed()["parameters"].get(f"{module.name}.{parameter.name}")
    message = f"{text} {now}" if now else text + likely(parameter.name, module.parameters, suggested)
    return error("parameter-unknown", parameter.place, message)


def _of_known(parameter: ModuleParameter, known: ParameterFacts) -> Iterator[ScriptFinding]:
    is_text = isinstance(parameter.value, str)
    if known.type is ParameterType.INTEGER and is_text:
        text = f"{known.name} needs a number, not a text: {_EFFECT}. Write it without quotes."
        yield error("parameter-type", parameter.place, text)
    elif known.type is ParameterType.STRING and not is_text:
        text = f'{known.name} needs a text, not a number: {_EFFECT}. Write "{parameter.value}".'
        yield error("parameter-type", parameter.place, text)
    if known.replaced_by:
        text = f"{known.name} is deprecated. Use {known.replaced_by}."
        yield hint("parameter-old", parameter.place, text)


def _warned_of(parameter: ModuleParameter, module: ModuleFacts) -> Iterator[ScriptFinding]:
    """A parameter that is still taken, with a warning in the log, and that later releases do not have."""
    if now := renamed()["parameters"].get(f"{module.name}.{parameter.name}"):
        effect = f"the proxy warns of it, and {RELEASE_4_0} does not start with it"
        text = f"{parameter.name} is deprecated: {effect}."
        yield warning("parameter-old", parameter.place, f"{text} {now}")


_STOPS = "the proxy does not start"
_METHODS = frozenset(
    {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS"}
    | {"PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"}
)
"""RFC 3261 and those that extend it."""

_FIRST_CODE, _LAST_CODE = 100, 699
_LAST_TAKEN_CODE = 700
_URI = re.compile(r"sips?:[^\s<>\"]+|tel:[+\d().-]+", re.IGNORECASE | re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_DRIVER = re.compile(r"[a-z][\w+.-]*:", re.IGNORECASE | re.ASCII)
_DRIVERS_WITH_HOST = frozenset({"mysql", "postgres", "unixodbc", "sqlite", "text", "virtual"})
_FLAGS_OF_LISTS = frozenset("fudaFUDA")
_BACKENDS = frozenset({"log", "db", "aaa", "evi"})
_LARGEST = 2**31 - 1

Problem = tuple[ScriptSeverity, str]
Rule = Callable[[Overview, str], Iterator[Problem]]


def _error(text: str) -> Problem:
    return ScriptSeverity.ERROR, f"{text}: {_STOPS}."


def _warning(text: str) -> Problem:
    return ScriptSeverity.WARNING, f"{text}."


def _probes(overview: Overview) -> bool:
    """Whether the proxy probes at all: only then it reads some values."""
    interval = overview.value("dispatcher", "ds_ping_interval")
    return isinstance(interval, int) and interval > 0


def _probing_list(_overview: Overview, value: str) -> Iterator[Problem]:
    for part in value.split(","):
        stripped = part.strip()
        if stripped and set(stripped) <= _FLAGS_OF_LISTS:
            yield _warning(f"{stripped[:20]} is not a set: use numbers, e.g. 1,2")
        elif not _WHOLE.fullmatch(stripped):
            shown = f"{stripped[:20]} is none" if stripped else "one of them is empty"
            yield _error(f"It takes the numbers of sets, as 1,2, and {shown}")
        elif int(stripped) < 0:
            yield _warning(f"Unknown set {stripped[:20]}")


def _reply_codes(overview: Overview, value: str) -> Iterator[Problem]:
    if not _probes(overview):
        return
    for part in value.split(","):
        stripped = part.strip(" ")
        is_code = stripped.isdecimal() and _FIRST_CODE <= int(stripped) <= _LAST_TAKEN_CODE
        if not is_code:
            yield _error(f"It takes SIP reply codes, as 404,405, not {stripped[:20] or 'nothing'}")
        elif int(stripped) > _LAST_CODE:
            yield _warning(f"Unknown reply code {stripped}")


def _method(_overview: Overview, value: str) -> Iterator[Problem]:
    if value.upper() not in _METHODS:
        yield _warning(
            f"Unknown SIP method {value[:20] or 'without a name'}. Probes are sent as OPTIONS mostly"
        )
    elif value not in _METHODS:
        yield _warning(f"SIP methods are written in capitals: {value.upper()}")


def _from(_overview: Overview, value: str) -> Iterator[Problem]:
    if not _URI.fullmatch(value.strip()):
        yield _warning(f"{value[:40] or 'An empty text'} is not a SIP URI. Write sip:probe@example.com")


def _probing_socket(overview: Overview, value: str) -> Iterator[Problem]:
    if _probes(overview) and value and is_no_listener(overview, value):
        yield _error(f"The proxy does not listen on {value[:60]}. It takes one of its sockets")


def _blacklist(_overview: Overview, value: str) -> Iterator[Problem]:
    name, equals, sets = value.partition("=")
    if not equals or not name.strip():
        yield _error("It takes a name and sets, as list=1,2")
        return
    for part in sets.split(","):
        if not part.strip().isdecimal():
            yield _error(f"The sets of a blacklist are numbers, not {part.strip()[:20] or 'nothing'}")


def _avp(_overview: Overview, value: str) -> Iterator[Problem]:
    found = reference(value) if value.startswith("$") else None
    if found is None or found.name != "avp" or not found.inner or found.problem:
        yield _error(f"It takes an $avp(name), not {value[:40] or 'nothing'}")


def _optional_avp(overview: Overview, value: str) -> Iterator[Problem]:
    if value:
        yield from _avp(overview, value)


def _format(overview: Overview, value: str) -> Iterator[Problem]:
    for found in references(value):
        for _, text in problems(overview, found):
            yield ScriptSeverity.ERROR, text
    if value and "$" not in value:
        yield _warning("It has no variable, so that it is the same for every call")


def _writable(overview: Overview, value: str) -> Iterator[Problem]:
    found = reference(value) if value.startswith("$") else None
    if found is None:
        yield _error(f"It takes a variable, not {value[:40] or 'nothing'}")
        return
    for _, text in problems(overview, found):
        yield ScriptSeverity.ERROR, text
    known = lookup(overview, found)
    if known is not None and not known.is_writable:
        yield _error(f"{value[:40]} can only be read")


def _cluster_probing(overview: Overview, value: str) -> Iterator[Problem]:
    cluster = overview.value("dispatcher", "cluster_id")
    if not isinstance(cluster, int) or cluster <= 0:
        return
    if value not in ("all", "by-shtag", "distributed"):
        yield _error(f"It takes all, by-shtag or distributed, not {value[:20]}")
    elif value == "by-shtag" and not overview.value("dispatcher", "cluster_sharing_tag"):
        yield _error("by-shtag needs cluster_sharing_tag")


def _url(_overview: Overview, value: str) -> Iterator[Problem]:
    match = _DRIVER.match(value)
    if match is None:
        yield _error("It begins with the database's kind, as mysql://user:password@host/opensips")
    elif match[0][:-1] in _DRIVERS_WITH_HOST and not value.startswith(f"{match[0]}//"):
        yield _error(f"Two slashes follow {match[0]}")


def _partition(overview: Overview, value: str) -> Iterator[Problem]:
    """`name: key=value; key=value` (set_partition_arguments in dispatcher.c)."""
    name, colon, rest = value.partition(":")
    named = bool(colon) and not rest.startswith("/") and bool(rest)
    keys = overview.knowledge.modules["dispatcher"].partition_keys
    for pair in (rest if named else value).split(";"):
        key, equals, text = (part.strip() for part in pair.partition("="))
        if not equals:
            continue
        if not key or not text:
            yield _error("Each setting of a partition has a name and a value, as table_name=dispatcher")
        elif key not in keys:
            there_are = ", ".join(sorted(keys))
            text = f"A partition of OpenSIPS {overview.knowledge.version} has no setting {key[:40]}"
            yield _error(f"{text}; there are {there_are}")
        else:
            yield from _of_partition(overview, key, text)
    if named and not name.strip():
        yield _warning("The partition has no name")


def _of_partition(overview: Overview, key: str, text: str) -> Iterator[Problem]:
    if key == "ping_sock" and is_no_listener(overview, text):
        yield _error(f"The proxy does not listen on {text[:60]}. ping_sock takes one of its sockets")
    elif rule := _IN_PARTITION.get(key):
        yield from rule(overview, text)


def _dialplan_partition(_overview: Overview, value: str) -> Iterator[Problem]:
    _, colon, rest = value.partition(":")
    pairs = [pair.strip() for pair in rest.split(";")] if colon else []
    if len(pairs) == 1 and "=" not in pairs[0]:
        return
    for pair in pairs:
        key = pair.partition("=")[0].strip()
        if key and key not in ("db_url", "table_name"):
            yield _error(
                f"A partition of dialplan has no setting {key[:40]}; there are db_url and table_name"
            )


def _tls_domain(overview: Overview, value: str) -> Iterator[Problem]:
    match = re.match(r"\s*\[(?P<name>[^\]]+)\](?P<value>.+)", value, re.DOTALL)
    if match is None:
        yield _error(
            f"It takes a domain in brackets before its value, as [name]{value.strip()[:40] or 'value'}"
        )
        return
    names = {
        str(parameter.value)
        for kind in ("server_domain", "client_domain")
        for parameter in overview.parameters_of("tls_mgm", kind)
    }
    if overview.is_whole and match["name"] not in names:
        name = match["name"][:40]
        yield _error(f"No server_domain or client_domain defines {name}")


def _accounting(_overview: Overview, value: str) -> Iterator[Problem]:
    """`db: tag->column; …` (parse_acc_list_generic in acc_extra.c)."""
    backend, colon, _ = value.partition(":")
    if not colon or backend.strip() not in _BACKENDS:
        yield _error("It begins with one of log, db, aaa and evi, as db: caller->caller_id")


def _hep_id(_overview: Overview, value: str) -> Iterator[Problem]:
    """`[name]address:port; …` (parse_hep_id in hep.c)."""
    if not re.match(r"\s*\[[^\]]*\]", value):
        yield _error(
            f"It takes a name in brackets before the address, as [name]{value.strip()[:40] or 'address'}"
        )


_IN_PARTITION: dict[str, Rule] = {
    "db_url": _url,
    "dst_avp": _avp,
    "grp_avp": _avp,
    "cnt_avp": _avp,
    "sock_avp": _avp,
    "attrs_avp": _optional_avp,
    "script_attrs_avp": _optional_avp,
    "ping_from": _from,
    "ping_method": _method,
}

# fmt: off
_TLS_OF_A_DOMAIN = (
    "match_ip_address", "match_sip_domain", "tls_method", "verify_cert", "require_cert", "certificate",
    "private_key", "crl_check_all", "crl_dir", "ca_list", "ca_dir", "ciphers_list", "dh_params", "ec_curve",
)
# fmt: on

_TEXTS: Mapping[tuple[str, str], Rule] = {
    ("dispatcher", "ds_probing_list"): _probing_list,
    ("dispatcher", "options_reply_codes"): _reply_codes,
    ("dispatcher", "ds_ping_method"): _method,
    ("dispatcher", "ds_ping_from"): _from,
    ("dispatcher", "ds_probing_sock"): _probing_socket,
    ("dispatcher", "ds_define_blacklist"): _blacklist,
    ("dispatcher", "dst_avp"): _avp,
    ("dispatcher", "grp_avp"): _avp,
    ("dispatcher", "cnt_avp"): _avp,
    ("dispatcher", "sock_avp"): _avp,
    ("dispatcher", "attrs_avp"): _optional_avp,
    ("dispatcher", "script_attrs_avp"): _optional_avp,
    ("dispatcher", "hash_pvar"): _format,
    ("dispatcher", "setid_pvar"): _writable,
    ("dispatcher", "cluster_probing_mode"): _cluster_probing,
    ("dispatcher", "db_url"): _url,
    ("dispatcher", "partition"): _partition,
    ("acc", "extra_fields"): _accounting,
    ("acc", "leg_fields"): _accounting,
    ("proto_hep", "hep_id"): _hep_id,
    ("dialplan", "db_url"): _url,
    ("dialplan", "partition"): _dialplan_partition,
    **{("tls_mgm", name): _tls_domain for name in _TLS_OF_A_DOMAIN},
}

_NUMBERS: dict[str, tuple[int, int, str]] = {
    "ds_ping_interval": (0, _LARGEST, "0 is for no probes, else it is the seconds between two rounds"),
    "ds_probing_threshold": (1, _LARGEST, "it counts failures, 1 or more"),
    "ds_probing_threshhold": (1, _LARGEST, "it counts failures, 1 or more"),
    "ds_probing_mode": (0, 1, "there are 0 (those that failed) and 1 (all)"),
    "ds_ping_maxfwd": (-1, 255, "Max-Forwards is 0 to 255 (RFC 3261 20.22)"),
    "persistent_state": (0, 1, "there are 0 and 1"),
    "fetch_freeswitch_stats": (0, 1, "there are 0 and 1"),
    "max_freeswitch_weight": (1, 65_535, "a weight has 16 bits"),
    "cluster_id": (0, _LARGEST, "0 is for no cluster, else it is its number"),
}
"""Of the dispatcher: from, to, and what they are. The proxy starts with any."""


def values(overview: Overview) -> Iterator[ScriptFinding]:
    """Values that a module refuses, and values that it takes and nobody means."""
    for parameter in overview.script.parameters:
        for module in overview.described(parameter):
            for severity, text in _of(overview, module, parameter):
                code = "parameter-value" if severity is ScriptSeverity.ERROR else "parameter-doubtful"
                yield ScriptFinding(severity, code, parameter.place, f"{parameter.name}: {text}")


def _of(overview: Overview, module: str, parameter: ModuleParameter) -> Iterator[Problem]:
    known = overview.knowledge.modules[module].parameters.get(parameter.name)
    is_last = overview.parameters_of(module, parameter.name)[-1] is parameter
    if known is None or not (known.is_call or is_last):
        return
    value = parameter.value
    if isinstance(value, str):
        if rule := _TEXTS.get((module, parameter.name)):
            yield from rule(overview, value)
    elif module == "dispatcher" and parameter.name in _NUMBERS:
        low, high, meaning = _NUMBERS[parameter.name]
        if not low <= value <= high:
            yield _warning(f"{value} is not meant, as {meaning}")


def twice(overview: Overview) -> Iterator[ScriptFinding]:
    """A parameter that is set again: the last one counts, also where its old name is one of the two."""
    former: dict[tuple[str, str], ModuleParameter] = {}
    for parameter in overview.script.parameters:
        for module in overview.described(parameter):
            known = overview.knowledge.modules[module].parameters.get(parameter.name)
            if known is None or known.is_call:
                continue
            key = (module, known.replaced_by or known.name)
            if key in former and not _is_for_several(former[key], parameter):
                first = former[key]
                names = (
                    known.name
                    if first.name == known.name
                    else f"{first.name} and {known.name}, which are one,"
                )
                text = f"{names} of {module} is set twice: the last one wins. Remove one."
                yield warning("parameter-twice", parameter.place, text, (first.place,))
            former[key] = parameter


def _is_for_several(first: ModuleParameter, again: ModuleParameter) -> bool:
    """Whether one line sets several modules, this one to what it has already."""
    return first.value == again.value and (len(first.modules) > 1 or len(again.modules) > 1)


CHECKS = (
    without_module,
    names_and_types,
    values,
    twice,
)
