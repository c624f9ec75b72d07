"""The MI commands of the sandbox: which there are, under which names, and how one is called."""

from typing import Any

from efcp.sandbox.command import Command
from efcp.sandbox.core_commands import CORE_COMMANDS
from efcp.sandbox.jsonrpc import Params
from efcp.sandbox.module_commands import MODULE_COMMANDS
from efcp.sandbox.parameters import Given, MiRefusalError, match, text
from efcp.sandbox.proxy import SandboxProxy

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


def _find(proxy: SandboxProxy, method: str) -> Command | None:
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


COMMANDS: dict[str, Command] = {
    **CORE_COMMANDS,
    "which": Command(((), ("command",)), _which),
    "help": Command(((), ("mi_cmd",)), _help),
    **MODULE_COMMANDS,
}
