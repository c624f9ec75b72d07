"""The MI commands of the sandbox: core, dispatcher and dialplan; their names, recipes and handlers.

Each handler reads its parameters in the order in which the proxy does: the first wrong one is reported.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dispatcher.routing.destinations import DestinationState, state_of_word
from efcp.sandbox.events import Identifier, Subscriber
from efcp.sandbox.jsonrpc import (
    INVALID_PARAMS,
    Given,
    MiRefusalError,
    Params,
    Recipe,
    integer,
    match,
    optional_text,
    read_integer,
    text,
    texts,
    yes_or_no,
)
from efcp.sandbox.proxy import PARTITION, SandboxProxy

Handler = Callable[[SandboxProxy, Given], Any]
"""Carries out a call whose parameters fit a recipe; raises MiRefusalError for an error object."""


@dataclass(frozen=True, slots=True)
class MiCommand:
    """How a command may be called, what it does, and which module it belongs to."""

    recipes: tuple[Recipe, ...]
    handler: Handler
    module: str = "core"


DEFAULT_EXPIRE_S = 3600


def _get_statistics(_proxy: SandboxProxy, given: Given) -> Any:
    """No statistics: the sandbox carries no calls, and a proxy leaves out the names that it does not know."""
    texts(given, "statistics")
    return {}


def _uptime(proxy: SandboxProxy, _given: Given) -> Any:
    now = datetime.now(UTC)
    return {
        "Now": time.ctime(now.timestamp()),
        "Up since": time.ctime(proxy.started_at.timestamp()),
        "Up time": f"{int((now - proxy.started_at).total_seconds())} [sec]",
    }


def _version(proxy: SandboxProxy, given: Given) -> Any:
    server = {"Server": f"OpenSIPS ({proxy.version} (x86_64/linux))"}
    # The revision of a release that was not built from a repository, whatever was requested.
    return server | {"unknown": "unknown"} if "revision" in given else server


def _events_list(proxy: SandboxProxy, _given: Given) -> Any:
    return {"Events": [{"name": name, "id": number} for number, name in enumerate(proxy.events.names)]}


def _event_subscribe(proxy: SandboxProxy, given: Given) -> str:
    expire_s = integer(given, "expire") if "expire" in given else DEFAULT_EXPIRE_S
    if expire_s < 0:
        raise MiRefusalError(*INVALID_PARAMS, "Negative expire value")
    event, socket = _filled(given, "event"), _filled(given, "socket")
    with proxy.guard:
        proxy.events.subscribe(event, socket, expire_s)
    return "OK"


def _filled(given: Given, name: str) -> str:
    value = text(given, name)
    if not value:
        raise MiRefusalError(*INVALID_PARAMS, f"Bad type for parameter '{name}'")
    return value


def _subscribers_list(proxy: SandboxProxy, given: Given) -> Any:
    with proxy.guard:
        if "event" not in given:
            living = ((name, proxy.events.subscribers(name)) for name in proxy.events.names)
            return {"Events": [_subscribed(proxy, name, found) for name, found in living if found]}
        event = text(given, "event")
        found = proxy.events.subscribers(event)
    if "socket" not in given:
        return {"Event": _subscribed(proxy, event, found) if found else {}}
    socket = text(given, "socket")
    one = next((each for each in found if each.socket == socket), None)
    if one is None:
        raise MiRefusalError(404, "Subscriber does not exist")
    return {"Event": {"name": event, "id": proxy.events.number(event), "Subscriber": one.listed()}}


def _subscribed(proxy: SandboxProxy, event: str, found: list[Subscriber]) -> dict[str, object]:
    listed = [each.listed() for each in found]
    return {"name": event, "id": proxy.events.number(event), "Subscribers": listed}


def _named(proxy: SandboxProxy, group: str) -> tuple[Identifier, ...]:
    """The identifiers of a group. Names of groups and identifiers are in lower case, and found in either."""
    found = proxy.reports.groups().get(group.lower())
    if found is None:
        raise MiRefusalError(404, "Group not found")
    return found


def _identified(group: tuple[Identifier, ...], name: str, refusal: str) -> Identifier:
    found = next((each for each in group if each.name == name.lower()), None)
    if found is None:
        raise MiRefusalError(404, refusal)
    return found


def _sr_get_status(proxy: SandboxProxy, given: Given) -> Any:
    group = _named(proxy, text(given, "group"))
    name = optional_text(given, "identifier") or "main"
    if name.lower() == "all":
        ready = all(each.status >= 0 for each in group)
        return {"Readiness": ready, "Status": 1 if ready else -1, "Details": "aggregated"}
    return _identified(group, name, "Identity not found").listed_status()


def _of_each_group(
    proxy: SandboxProxy, given: Given, listed: Callable[[Identifier], dict[str, object]]
) -> list[dict[str, object]]:
    """What `listed` gives for the identifiers of one group, or of all groups where none is named."""
    name = optional_text(given, "group")
    with proxy.guard:
        if name is not None:
            return [listed(each) for each in _named(proxy, name)]
        return [
            {"Name": name, "Identifiers": [listed(each) for each in group]}
            for name, group in proxy.reports.groups().items()
        ]


def _sr_list_status(proxy: SandboxProxy, given: Given) -> Any:
    return _of_each_group(proxy, given, lambda each: {"Name": each.name, **each.listed_status()})


def _sr_list_reports(proxy: SandboxProxy, given: Given) -> Any:
    group, identifier = optional_text(given, "group"), optional_text(given, "identifier")
    if group is None or identifier is None:
        return _of_each_group(
            proxy, given, lambda each: {"Name": each.name, "Reports": each.listed_reports()}
        )
    with proxy.guard:
        return _identified(_named(proxy, group), identifier, "Identifier not found").listed_reports()


def _sr_list_identifiers(proxy: SandboxProxy, given: Given) -> Any:
    def listed(name: str, group: tuple[Identifier, ...]) -> dict[str, object]:
        return {"Group": name, "Identifiers": [each.name for each in group]}

    name = optional_text(given, "group")
    if name is not None:
        return listed(name.lower(), _named(proxy, name))
    return [listed(name, group) for name, group in proxy.reports.groups().items()]


CORE_COMMANDS: dict[str, MiCommand] = {
    "get_statistics": MiCommand((("statistics",),), _get_statistics, "statistics"),
    "uptime": MiCommand(((),), _uptime),
    "version": MiCommand(((), ("revision",)), _version),
    "event_subscribe": MiCommand((("event", "socket"), ("event", "socket", "expire")), _event_subscribe),
    "events_list": MiCommand(((),), _events_list),
    "subscribers_list": MiCommand(((), ("event",), ("event", "socket")), _subscribers_list),
    "sr_get_status": MiCommand((("group",), ("group", "identifier")), _sr_get_status),
    "sr_list_status": MiCommand(((), ("group",)), _sr_list_status),
    "sr_list_reports": MiCommand(((), ("group",), ("group", "identifier")), _sr_list_reports),
    "sr_list_identifiers": MiCommand(((), ("group",)), _sr_list_identifiers),
}


_NO_DS_PARTITION = "ERROR Unknown partition"
_KNOWN = frozenset({PARTITION})
_KNOWN_OR_NONE = frozenset({PARTITION, ""})
"""dispatcher takes an empty name for its default partition."""


def _require_partition(given: Given, refusal: MiRefusalError, known: frozenset[str] = _KNOWN) -> None:
    if "partition" in given and text(given, "partition") not in known:
        raise refusal


def _ds_list(proxy: SandboxProxy, given: Given) -> Any:
    full = integer(given, "full") != 0 if "full" in given else False
    if (optional_text(given, "partition") or PARTITION) != PARTITION:
        raise MiRefusalError(500, _NO_DS_PARTITION)
    return proxy.listed(full=full)


def _ds_reload(proxy: SandboxProxy, given: Given) -> str:
    _require_partition(given, MiRefusalError(500, _NO_DS_PARTITION), _KNOWN_OR_NONE)
    proxy.reload(inherit_state=yes_or_no(given, "inherit_state", default=True))
    return "OK"


def _ds_set_state(proxy: SandboxProxy, given: Given) -> str:
    """The parameters are read one by one: the first wrong one is reported."""
    state = _state(text(given, "state"))
    setid = _set_of_group(text(given, "group"))
    proxy.set_state(setid, text(given, "address"), state)
    return "OK"


def _state(word: str) -> DestinationState:
    state = state_of_word(word)
    if state is None:
        raise MiRefusalError(500, "Bad state value")
    return state


def _set_of_group(group: str) -> int:
    """The set in `[partition:]set`."""
    partition, setid = _split_group(group)
    if partition not in _KNOWN_OR_NONE:
        raise MiRefusalError(404, _NO_DS_PARTITION)
    number = read_integer(setid) if setid[:1] not in {"-", "+"} else None
    if number is None:
        raise MiRefusalError(500, "bad group value")
    return number


def _split_group(group: str) -> tuple[str, str]:
    """The partition, empty for none, and the set of `[partition:]set` (split_partition_argument)."""
    partition, colon, setid = group.partition(":")
    if not colon or not setid or setid.startswith("/"):
        return "", group
    return partition.strip(), setid.lstrip(" ")


def _ds_push_script_attrs(proxy: SandboxProxy, given: Given) -> str:
    attrs = text(given, "attrs")
    if not attrs:
        raise MiRefusalError(500, "Bad attrs value")
    host, port, setid = text(given, "ip"), integer(given, "port"), integer(given, "set")
    _require_partition(given, MiRefusalError(404, _NO_DS_PARTITION))
    proxy.push_script_attrs(attrs, host, port, setid)
    return "OK"


def _dp_reload(proxy: SandboxProxy, given: Given) -> str:
    _require_partition(given, MiRefusalError(400, "Partition not found"))
    proxy.reload_dialplan()
    return "OK"


def _dp_translate(proxy: SandboxProxy, given: Given) -> Any:
    _require_partition(given, MiRefusalError(400, "Partition not found"))
    dpid = text(given, "dpid")
    if not dpid:
        raise MiRefusalError(404, "Empty id parameter")
    number = read_integer(dpid)
    if number is None:
        raise MiRefusalError(404, "Wrong id parameter")
    subject = text(given, "input")
    if not subject:
        raise MiRefusalError(404, "Empty input parameter")
    return proxy.translated(number, subject)


def _dp_show_partition(proxy: SandboxProxy, given: Given) -> Any:
    _require_partition(given, MiRefusalError(404, "Partition Not Found"))
    url = proxy.tables.database_url
    if "partition" in given:
        return {"Partition": PARTITION, "Table": "dialplan", "db_url": url}
    return {"Partitions": [{"name": PARTITION, "table": "dialplan", "db_url": url}]}


MODULE_COMMANDS: dict[str, MiCommand] = {
    "ds_set_state": MiCommand((("state", "group", "address"),), _ds_set_state, "dispatcher"),
    "ds_list": MiCommand(((), ("partition",), ("full",), ("full", "partition")), _ds_list, "dispatcher"),
    "ds_reload": MiCommand(
        ((), ("inherit_state",), ("partition",), ("partition", "inherit_state")), _ds_reload, "dispatcher"
    ),
    "ds_push_script_attrs": MiCommand(
        (("attrs", "ip", "port", "set"), ("attrs", "ip", "port", "set", "partition")),
        _ds_push_script_attrs,
        "dispatcher",
    ),
    "dp_reload": MiCommand(((), ("partition",)), _dp_reload, "dialplan"),
    "dp_translate": MiCommand((("dpid", "input"), ("dpid", "input", "partition")), _dp_translate, "dialplan"),
    "dp_show_partition": MiCommand(((), ("partition",)), _dp_show_partition, "dialplan"),
}


_QUALIFIED_NAMES = {
    "statistics:get": "get_statistics",
    "core:uptime": "uptime",
    "core:version": "version",
    "core:which": "which",
    "core:help": "help",
    "status_report:get": "sr_get_status",
    "status_report:status": "sr_list_status",
    "status_report:reports": "sr_list_reports",
    "status_report:identifiers": "sr_list_identifiers",
    "evi:subscribe": "event_subscribe",
    "evi:list": "events_list",
    "evi:subscribers": "subscribers_list",
    "dispatcher:set_state": "ds_set_state",
    "dispatcher:list": "ds_list",
    "dispatcher:reload": "ds_reload",
    "dispatcher:push_script_attrs": "ds_push_script_attrs",
    "dialplan:reload": "dp_reload",
    "dialplan:translate": "dp_translate",
    "dialplan:show_partition": "dp_show_partition",
}
"""The names of later releases, which still take the old ones."""


def answer(proxy: SandboxProxy, method: str, params: Params) -> Any:
    """The result of one call; raise MiRefusalError for an error object."""
    command = _find(proxy, method)
    if command is None:
        raise MiRefusalError(-32601, "Method not found")
    return command.handler(proxy, match(command.recipes, params))


def names(proxy: SandboxProxy) -> list[str]:
    """The commands as `which` lists them."""
    return list(_QUALIFIED_NAMES) if _has_new_names(proxy) else list(COMMANDS)


def _find(proxy: SandboxProxy, method: str) -> MiCommand | None:
    if _has_new_names(proxy):
        method = _QUALIFIED_NAMES.get(method, method)
    return COMMANDS.get(method)


def _has_new_names(proxy: SandboxProxy) -> bool:
    return proxy.memory.environment.release.qualifies_commands


def _which(proxy: SandboxProxy, given: Given) -> Any:
    if "command" not in given:
        return names(proxy)
    command = _find(proxy, text(given, "command"))
    if command is None:
        raise MiRefusalError(404, "unknown MI command")
    return [list(recipe) for recipe in command.recipes]


def _help(proxy: SandboxProxy, given: Given) -> Any:
    if "mi_cmd" not in given:
        return "Usage: help mi_cmd - returns information about 'mi_cmd'"
    command = _find(proxy, text(given, "mi_cmd"))
    if command is None:
        raise MiRefusalError(404, "unknown MI command")
    return {"Help": "not available for this command", "Exported by": command.module}


COMMANDS: dict[str, MiCommand] = {
    **CORE_COMMANDS,
    "which": MiCommand(((), ("command",)), _which),
    "help": MiCommand(((), ("mi_cmd",)), _help),
    **MODULE_COMMANDS,
}
