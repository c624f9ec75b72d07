"""Modules and databases: loaded twice, unknown, without what they need, listeners that no module serves."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from efcp.script.checking.overview import Overview
from efcp.script.checking.settings import protocols as protocols_of
from efcp.script.findings import Location, ScriptFinding, ScriptSeverity, error, hint, likely, warning
from efcp.script.knowledge.facts import Prerequisite, renamed
from efcp.script.language.syntax import LoadModule, RouteKind, Setting

_BUILT_IN = frozenset({"proto_udp", "proto_tcp"})
"""They are part of the proxy: loading one twice gives a log line only (sr_module.c)."""

_DRIVERS = {
    "http": "db_http",
    "mysql": "db_mysql",
    "postgres": "db_postgres",
    "sqlite": "db_sqlite",
    "text": "db_text",
    "unixodbc": "db_unixodbc",
    "virtual": "db_virtual",
}
_PROTOCOLS = {"hep_udp": "proto_hep", "hep_tcp": "proto_hep"}
_LISTENER = re.compile(r"(?P<protocol>[a-z_]+):", re.IGNORECASE)
_LOADED_FIRST = re.compile(r"(?:db|cachedb)_|tm$")
_NEEDS_LISTENERS = frozenset({"proto_udp", "proto_tcp", "proto_tls", "proto_ws", "proto_wss"})


def twice(overview: Overview) -> Iterator[ScriptFinding]:
    """A module is loaded a second time: the proxy does not start (sr_load_module in sr_module.c)."""
    for module in overview.script.modules:
        first = overview.loaded[module.name]
        if module is first:
            continue
        if module.name in _BUILT_IN:
            severity, effect = ScriptSeverity.WARNING, "The proxy only complains in its log."
        else:
            severity, effect = ScriptSeverity.ERROR, "The proxy does not start."
        text = f"{module.name} is loaded already. {effect} Remove this line."
        yield ScriptFinding(severity, "module-twice", module.place, text, (first.place,))


def unknown(overview: Overview) -> Iterator[ScriptFinding]:
    """No such module comes with this version."""
    known = {*overview.knowledge.modules, *overview.knowledge.other_modules}
    needless = _needless(overview)
    strange = [it for it in overview.loaded.values() if it.name not in known and it.name not in needless]
    for number, module in enumerate(strange):
        version = overview.knowledge.version
        text = f"OpenSIPS {version} comes without a module {module.name[:60]}: the proxy does not start."
        now = renamed()["modules"].get(module.name)
        message = f"{text} {now}" if now else text + likely(module.name, known, number)
        yield error("module-unknown", module.place, message)


def _needless(overview: Overview) -> frozenset[str]:
    """Modules that are part of the core of this version: their loadmodule is skipped (load_module in
    sr_module.c)."""
    return frozenset() if "event_route" in overview.knowledge.modules else frozenset({"event_route"})


def needless(overview: Overview) -> Iterator[ScriptFinding]:
    """A module that became a part of the core: the proxy logs a line, and goes on."""
    for name in _needless(overview) & overview.loaded.keys():
        text = f"{name} is part of the core since OpenSIPS 3.5: the proxy skips this line. Remove it."
        yield hint("module-needless", overview.loaded[name].place, text)


def event_routes(overview: Overview) -> Iterator[ScriptFinding]:
    """Before 3.5 an event_route needs the module of that name (fix_rls in route.c)."""
    if (
        not overview.is_whole
        or "event_route" not in overview.knowledge.modules
        or "event_route" in overview.loaded
    ):
        return
    found = [route.place for route in overview.script.routes if route.kind is RouteKind.EVENT]
    if found:
        text = "An event_route needs the module event_route, or the proxy does not start."
        yield error("module-missing", found[0], f"{text} {_load(('event_route',))}", tuple(found[1:]))


def prerequisites(overview: Overview) -> Iterator[ScriptFinding]:
    """What a module needs is missing: the proxy does not start (sr_module_deps.c, DEP_ABORT).

    The order does not matter to the proxy, which starts modules in the order that they need. So a late one is
    a hint, and only for databases and tm: OpenSIPS's own example has sl below signaling.
    """
    for module in overview.loaded.values():
        described = overview.knowledge.modules.get(module.name)
        for prerequisite in described.prerequisites if described else ():
            yield from _of_prerequisite(overview, module, prerequisite)


def _of_prerequisite(overview: Overview, module: LoadModule, needed: Prerequisite) -> Iterator[ScriptFinding]:
    place, why = module.place, ""
    if needed.when:
        parameter = overview.parameter(module.name, needed.when)
        if parameter is None or not parameter.value or parameter.value == "0":
            return
        place, why = parameter.place, f" as {needed.when} is set"
    present = [overview.loaded[name] for name in needed.one_of if name in overview.loaded]
    if not present:
        if overview.is_whole and not _driver_is_reported(overview, module, needed):
            text = f"{module.name} needs {_choice(needed.one_of)}{why}, or the proxy does not start."
            yield error("module-missing", place, f"{text} {_load(needed.one_of)}")
        return
    earliest = min(present, key=lambda each: overview.order[id(each)])
    if (
        needed.before
        and _LOADED_FIRST.match(earliest.name)
        and overview.order[id(earliest)] > overview.order[id(module)]
    ):
        text = f"{module.name} needs {earliest.name}, which is loaded below it. The proxy puts them in order"
        also = (earliest.place,)
        message = f"{text} by itself; people read it easier the other way round."
        yield hint("module-late", module.place, message, also)


def _choice(names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return names[0]
    return "a database module" if "db_mysql" in names else f"one of {', '.join(names)}"


def _load(names: tuple[str, ...]) -> str:
    name = "db_mysql" if "db_mysql" in names else names[0]
    return f'Write loadmodule "{name}.so" above.'


def _driver_is_reported(overview: Overview, module: LoadModule, needed: Prerequisite) -> bool:
    """Whether drivers() reports the missing database module already, by the URL's name for it."""
    if "db_mysql" not in needed.one_of:
        return False
    url = overview.value(module.name, "db_url") or _default_url(overview)
    return isinstance(url, str) and _scheme(url) in _DRIVERS


def _default_url(overview: Overview) -> str | int | None:
    found = [it.value for it in overview.script.settings if it.name == "db_default_url"]
    return found[-1] if found else None


def _scheme(url: str) -> str:
    return url.partition("://")[0]


def drivers(overview: Overview) -> Iterator[ScriptFinding]:
    """A database URL asks for a driver that is not loaded: the module that reads it does not start (db.c)."""
    if not overview.is_whole:
        return
    reported: set[str] = set()
    for place, url in _urls(overview):
        driver = _DRIVERS.get(_scheme(url), "") if "://" in url else ""
        if not driver or driver in overview.loaded or driver in reported:
            continue
        reported.add(driver)
        text = f"A {_scheme(url)}:// database needs {driver}, or the proxy does not start."
        yield error("module-missing", place, f"{text} {_load((driver,))}")


def _urls(overview: Overview) -> Iterator[tuple[Location, str]]:
    for parameter in overview.script.parameters:
        if parameter.name.endswith("db_url") and isinstance(parameter.value, str):
            yield parameter.place, parameter.value
    for setting in overview.script.settings:
        if setting.name == "db_default_url" and isinstance(setting.value, str):
            yield setting.place, setting.value


def _listeners(overview: Overview) -> Iterator[tuple[Setting, str]]:
    """Each listener with the module of its protocol, "" where that is none."""
    known = protocols_of(overview.knowledge.release)
    for setting in listeners(overview):
        match = _LISTENER.match(str(setting.value))
        protocol = match["protocol"].lower() if match else ""
        yield setting, _PROTOCOLS.get(protocol, f"proto_{protocol}") if protocol in known - {"bond"} else ""


def protocols(overview: Overview) -> Iterator[ScriptFinding]:
    """A listener needs the module of its protocol, in all versions described (fix_all_socket_lists)."""
    if not overview.is_whole:
        return
    reported: set[str] = set()
    for setting, module in _listeners(overview):
        if not module or module in overview.loaded or module in reported:
            continue
        reported.add(module)
        text = f"A listener like this one needs {module}, or the proxy does not start. {_load((module,))}"
        yield error("module-missing", setting.place, text)


def unheard_protocols(overview: Overview) -> Iterator[ScriptFinding]:
    """Later releases: a protocol without a listener keeps the proxy from starting (trans_load)."""
    served = {module for _, module in _listeners(overview)}
    release = overview.knowledge.release
    if not overview.is_whole or not served or not release.needs_a_listener_for_each_protocol:
        return
    for name in sorted(_NEEDS_LISTENERS & overview.loaded.keys() - served):
        text = f"{name} has no listener: OpenSIPS {overview.knowledge.version} does not start with it."
        message = f"{text} Add a socket of that protocol, or remove this line."
        yield error("protocol-unused", overview.loaded[name].place, message)


def no_listener(overview: Overview) -> Iterator[ScriptFinding]:
    """Without a listener the proxy stops at once, unless the command line has one (-l, trans_load)."""
    if overview.main is None or not overview.is_understood or overview.tables.listens:
        return
    if any(_listeners(overview)):
        return
    text = "The proxy listens nowhere and does not start, unless started with -l. Write a socket, as"
    yield error("no-listener", overview.main.place, f"{text} socket=udp:192.0.2.1:5060.")


def no_protocol(overview: Overview) -> Iterator[ScriptFinding]:
    """Without any module of a protocol the proxy stops at once, with -l too (trans_load)."""
    if overview.main is None or not overview.is_understood or any(_listeners(overview)):
        return
    if not any(name.startswith("proto_") for name in overview.loaded):
        text = "No protocol is loaded: the proxy does not start."
        yield error("protocol-missing", overview.main.place, f"{text} {_load(('proto_udp',))}")


_SOCKET = re.compile(
    r"(?:(?P<protocol>[a-z_]+):)?(?P<host>\[[^\]]*\]|[^:\s]+|\*)(?::(?P<port>\d+))?(?:$|\s)", re.IGNORECASE
)


def listeners(overview: Overview) -> Iterator[Setting]:
    """The settings that make listeners."""
    for setting in overview.script.settings:
        if setting.name in ("socket", "listen") and isinstance(setting.value, str):
            yield setting


def is_no_listener(overview: Overview, text: str) -> bool:
    """Whether a socket is surely none of the script's: where one of these is a name, an interface or all
    addresses, nothing is sure."""
    if not overview.is_whole or any(setting.name == "alias" for setting in overview.script.settings):
        return False
    found = [str(setting.value) for setting in listeners(overview)]
    parts = [_SOCKET.match(each) for each in found]
    if not all(match and _is_address(match["host"]) for match in parts):
        return False
    expected = _SOCKET.match(text.strip())
    if expected is None:
        return True
    host, port, protocol = expected["host"].strip("[]").lower(), expected["port"], expected["protocol"]
    return not any(
        host in each.lower()
        and (port is None or port in each)
        and (protocol is None or each.lower().startswith(protocol.lower()))
        for each in found
    )


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host.strip("[]")))
    except ValueError:
        return False


_URL = re.compile(
    r"mysql://(?:(?P<login>.*)@)?(?P<host>\[[^\]]*\]|[^/:@]*)(?::(?P<port>\d{1,5}))?/(?P<name>[^/?]*).*",
    re.DOTALL,
)
_MYSQL_PORT = 3306
_HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})
WELL_KNOWN = "opensipsrw"
"""The password that comes with OpenSIPS."""

_MODULES = ("dispatcher", "dialplan")


def _table_urls(overview: Overview) -> Iterator[tuple[Location, str]]:
    """Each URL that the tables are read by, with its place."""
    for module in _MODULES:
        parameter = overview.parameter(module, "db_url")
        if parameter and isinstance(parameter.value, str):
            yield parameter.place, parameter.value
    for setting in overview.script.settings:
        if setting.name == "db_default_url" and isinstance(setting.value, str):
            yield setting.place, setting.value


def database_missing(overview: Overview) -> Iterator[ScriptFinding]:
    """The dispatcher does not start without a database (mod_init in dispatcher.c)."""
    if not overview.is_whole or "dispatcher" not in overview.loaded:
        return
    has_default = any(setting.name == "db_default_url" for setting in overview.script.settings)
    has_own = overview.value("dispatcher", "db_url") or overview.parameters_of("dispatcher", "partition")
    if not has_default and not has_own:
        text = "dispatcher has no database, so the proxy does not start. Write"
        message = f'{text} modparam("dispatcher", "db_url", "mysql://user:password@host/opensips").'
        yield error("database-missing", overview.loaded["dispatcher"].place, message)


def other_database(overview: Overview) -> Iterator[ScriptFinding]:
    """The proxy reads other tables than those that the panel edits."""
    if overview.tables.database is None:
        return
    host, port, name = overview.tables.database
    panels = (_plain_host(host), port, name)
    for place, url in dict(_table_urls(overview)).items():
        match = _URL.fullmatch(url)
        if match is None:
            continue
        own = (_plain_host(match["host"]), int(match["port"] or _MYSQL_PORT), match["name"])
        if own != panels:
            text = (
                f"The proxy reads {own[0]}:{own[1]}/{own[2]}, the panel edits {host}:{port}/{name}: what is"
            )
            yield warning("database-other", place, f"{text} changed there may not arrive.")


def _plain_host(name: str) -> str:
    plain = name.strip("[]").lower()
    return "localhost" if plain in _HERE else plain


def default_password(overview: Overview) -> Iterator[ScriptFinding]:
    """The password that everybody knows. Once, with the other places."""
    found = [place for place, url in dict(_table_urls(overview)).items() if _password(url) == WELL_KNOWN]
    if found:
        text = f"{WELL_KNOWN} is the password that comes with OpenSIPS: everybody knows it. Set one of"
        yield hint("password-default", found[0], f"{text} your own.", tuple(found[1:]))


def _password(url: str) -> str:
    match = _URL.fullmatch(url)
    return (match["login"] or "").partition(":")[2] if match else ""


def shared_states(overview: Overview) -> Iterator[ScriptFinding]:
    """Several proxies write the states of one table, unless persistent_state is 0 (reference, several
    proxies)."""
    proxies = overview.tables.proxies
    if proxies is None or proxies < 2 or "dispatcher" not in overview.loaded:
        return
    parameter = overview.parameter("dispatcher", "persistent_state")
    if parameter and parameter.value == 0:
        return
    place = parameter.place if parameter else overview.loaded["dispatcher"].place
    text = (
        f"{proxies} proxies use this table, and each writes the states that it sees into it: the last one "
        "wins, and a restart loads what another one saw. If that is not meant, write"
    )
    yield hint("states-shared", place, f'{text} modparam("dispatcher", "persistent_state", 0).')


CHECKS = (
    twice,
    unknown,
    needless,
    event_routes,
    prerequisites,
    drivers,
    protocols,
    unheard_protocols,
    no_listener,
    no_protocol,
    database_missing,
    other_database,
    default_password,
    shared_states,
)
