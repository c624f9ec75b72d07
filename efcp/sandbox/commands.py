"""The MI commands of the sandbox: names and recipes as the modules register them, and what each answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from efcp.sandbox.parameters import MiRefusalError, Recipe, integer, match, text
from efcp.sandbox.proxy import EVENT, PARTITION, SandboxProxy

METHOD_NOT_FOUND = MiRefusalError(-32601, "Method not found")
DEFAULT_EXPIRE_S = 3600
_FALSE = frozenset({"n", "no", "0", "false"})

Given = Mapping[str, object]
Handler = Callable[[SandboxProxy, Given], Any]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: how it may be called, what it does, and which module it belongs to."""

    recipes: tuple[Recipe, ...]
    handler: Handler
    module: str


def answer(proxy: SandboxProxy, method: str, params: object) -> Any:
    """The result of one call; raise MiRefusalError for an error object."""
    command = COMMANDS.get(method)
    if command is None and proxy.version.startswith("4."):
        command = COMMANDS.get(NEW_NAMES.get(method, ""))
    if command is None:
        raise METHOD_NOT_FOUND
    return command.handler(proxy, match(command.recipes, params))


def _require_partition(given: Given, refusal: MiRefusalError) -> None:
    if "partition" in given and text(given, "partition") != PARTITION:
        raise refusal


def _ds_list(proxy: SandboxProxy, given: Given) -> Any:
    _require_partition(given, MiRefusalError(500, "ERROR Unknown partition"))
    return proxy.listed(full="full" in given and integer(given, "full") != 0)


def _ds_reload(proxy: SandboxProxy, given: Given) -> str:
    _require_partition(given, MiRefusalError(500, "ERROR Unknown partition"))
    inherit = text(given, "inherit_state").lower() if "inherit_state" in given else "y"
    proxy.reload(inherit_state=inherit not in _FALSE)
    return "OK"


def _ds_set_state(proxy: SandboxProxy, given: Given) -> str:
    proxy.set_state(text(given, "state"), text(given, "group"), text(given, "address"))
    return "OK"


def _ds_push_script_attrs(proxy: SandboxProxy, given: Given) -> str:
    _require_partition(given, MiRefusalError(404, "ERROR Unknown partition"))
    proxy.push_script_attrs(
        text(given, "attrs"), text(given, "ip"), integer(given, "port"), integer(given, "set")
    )
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
    try:
        number = int(dpid)
    except ValueError:
        raise MiRefusalError(404, "Wrong id parameter") from None
    return proxy.translated(number, text(given, "input"))


def _dp_show_partition(proxy: SandboxProxy, given: Given) -> Any:
    _require_partition(given, MiRefusalError(404, "Partition Not Found"))
    url = proxy.tables.database_url
    if "partition" in given:
        return {"Partition": PARTITION, "Table": "dialplan", "db_url": url}
    return {"Partitions": [{"name": PARTITION, "table": "dialplan", "db_url": url}]}


def _require_group(given: Given) -> None:
    if "group" in given and text(given, "group") != "dispatcher":
        raise MiRefusalError(404, "Group not found")


def _sr_get_status(proxy: SandboxProxy, given: Given) -> Any:
    _require_group(given)
    found = proxy.reports.find(text(given, "identifier") if "identifier" in given else "")
    if found is None:
        raise MiRefusalError(404, "Identity not found")
    return found.status()


def _sr_list_status(proxy: SandboxProxy, given: Given) -> Any:
    _require_group(given)
    listed = [{"Name": each.name, **each.status()} for each in proxy.reports.identifiers()]
    return listed if "group" in given else [{"Group": "dispatcher", "Identifiers": listed}]


def _sr_list_reports(proxy: SandboxProxy, given: Given) -> Any:
    _require_group(given)
    if "identifier" in given:
        found = proxy.reports.find(text(given, "identifier"))
        if found is None:
            raise MiRefusalError(404, "Identity not found")
        return [report.listed() for report in found.reports]
    listed = [
        {"Name": each.name, "Reports": [report.listed() for report in each.reports]}
        for each in proxy.reports.identifiers()
    ]
    return listed if "group" in given else [{"Group": "dispatcher", "Identifiers": listed}]


def _sr_list_identifiers(proxy: SandboxProxy, given: Given) -> Any:
    _require_group(given)
    told = {"Group": "dispatcher", "Identifiers": [each.name for each in proxy.reports.identifiers()]}
    return told if "group" in given else [told]


def _events_list(proxy: SandboxProxy, _given: Given) -> Any:
    return {"Events": [{"name": name, "id": number} for number, name in enumerate(proxy.events)]}


def _event_subscribe(proxy: SandboxProxy, given: Given) -> str:
    expire_s = integer(given, "expire") if "expire" in given else DEFAULT_EXPIRE_S
    proxy.subscribe(text(given, "event"), text(given, "socket"), expire_s)
    return "OK"


def _subscribers_list(proxy: SandboxProxy, _given: Given) -> Any:
    living = proxy.living_subscribers()
    if not living:
        return {"Events": []}
    listed = [{"socket": each.socket, "expire": each.expire_s, "ttl": each.expire_s} for each in living]
    return {"Events": [{"name": EVENT, "id": proxy.events.index(EVENT), "Subscribers": listed}]}


def _get_statistics(_proxy: SandboxProxy, _given: Given) -> Any:
    return {}


def _version(proxy: SandboxProxy, _given: Given) -> Any:
    return {"Server": f"OpenSIPS ({proxy.version} (x86_64/linux))"}


def _uptime(proxy: SandboxProxy, _given: Given) -> Any:
    now = datetime.now(UTC)
    seconds = int((now - proxy.started_at).total_seconds())
    written = "%a %b %d %H:%M:%S %Y"
    return {
        "Now": now.strftime(written),
        "Up since": proxy.started_at.strftime(written),
        "Up time": f"{seconds} [sec]",
    }


def _which(_proxy: SandboxProxy, _given: Given) -> Any:
    return list(COMMANDS)


def _help(_proxy: SandboxProxy, given: Given) -> Any:
    command = COMMANDS.get(text(given, "mi_cmd")) if "mi_cmd" in given else COMMANDS["help"]
    if command is None:
        raise MiRefusalError(404, "unknown MI command")
    return {"Help": "not available for this command", "Exported by": command.module}


COMMANDS: dict[str, Command] = {
    "get_statistics": Command((("statistics",),), _get_statistics, "core"),
    "uptime": Command(((),), _uptime, "core"),
    "version": Command(((),), _version, "core"),
    "which": Command(((),), _which, "core"),
    "event_subscribe": Command(
        (("event", "socket"), ("event", "socket", "expire")), _event_subscribe, "core"
    ),
    "events_list": Command(((),), _events_list, "core"),
    "subscribers_list": Command(((), ("event",), ("event", "socket")), _subscribers_list, "core"),
    "sr_get_status": Command((("group",), ("group", "identifier")), _sr_get_status, "core"),
    "sr_list_status": Command(((), ("group",)), _sr_list_status, "core"),
    "sr_list_reports": Command(((), ("group",), ("group", "identifier")), _sr_list_reports, "core"),
    "sr_list_identifiers": Command(((), ("group",)), _sr_list_identifiers, "core"),
    "help": Command(((), ("mi_cmd",)), _help, "core"),
    "ds_set_state": Command((("state", "group", "address"),), _ds_set_state, "dispatcher"),
    "ds_list": Command(((), ("partition",), ("full",), ("full", "partition")), _ds_list, "dispatcher"),
    "ds_reload": Command(
        ((), ("inherit_state",), ("partition",), ("partition", "inherit_state")), _ds_reload, "dispatcher"
    ),
    "ds_push_script_attrs": Command(
        (("attrs", "ip", "port", "set"), ("attrs", "ip", "port", "set", "partition")),
        _ds_push_script_attrs,
        "dispatcher",
    ),
    "dp_reload": Command(((), ("partition",)), _dp_reload, "dialplan"),
    "dp_translate": Command((("dpid", "input"), ("dpid", "input", "partition")), _dp_translate, "dialplan"),
    "dp_show_partition": Command(((), ("partition",)), _dp_show_partition, "dialplan"),
}

NEW_NAMES = {
    "dispatcher:list": "ds_list",
    "dispatcher:reload": "ds_reload",
    "dispatcher:set_state": "ds_set_state",
    "dispatcher:push_script_attrs": "ds_push_script_attrs",
    "dialplan:reload": "dp_reload",
    "dialplan:translate": "dp_translate",
    "dialplan:show_partition": "dp_show_partition",
    "core:version": "version",
    "core:uptime": "uptime",
    "core:which": "which",
}
"""The names of 4.0, which still knows the old ones too."""
