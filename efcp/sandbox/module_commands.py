"""The MI commands of the modules dispatcher and dialplan: ds_* and dp_*."""

from typing import Any

from dispatcher.routing.states import State, state_of_word
from efcp.sandbox.command import Command
from efcp.sandbox.parameters import (
    Given,
    MiRefusalError,
    integer,
    optional_text,
    read_integer,
    text,
    yes_or_no,
)
from efcp.sandbox.proxy import PARTITION, SandboxProxy

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
    """The parameters are read one by one: the first one that is wrong is the one that is told."""
    state = _state(text(given, "state"))
    setid = _set_of_group(text(given, "group"))
    proxy.set_state(setid, text(given, "address"), state)
    return "OK"


def _state(word: str) -> State:
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


MODULE_COMMANDS: dict[str, Command] = {
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
