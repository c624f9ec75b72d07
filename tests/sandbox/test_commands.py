"""MI's commands beyond what the recordings hold, by the modules' documentation and sources."""

import json
from typing import Any

import pytest

from dialplan.translation.rules import RuleRow
from dispatcher.routing.rows import DestinationRow
from efcp.sandbox.commands import answer
from efcp.sandbox.events import MAX_SUBSCRIBERS
from efcp.sandbox.jsonrpc import MiRefusalError
from efcp.sandbox.proxy import SandboxProxy
from tests.sandbox.conftest import MakeProxy

FIRST = "sip:127.0.0.1:6001"


def refusal(proxy: SandboxProxy, method: str, **params: Any) -> dict[str, object]:
    """The error object of a call that is refused."""
    with pytest.raises(MiRefusalError) as refused:
        answer(proxy, method, params)
    return refused.value.as_object()


def destinations(proxy: SandboxProxy, **params: Any) -> dict[str, dict[str, Any]]:
    """What ds_list tells of each destination, by its URI."""
    [partition] = answer(proxy, "ds_list", params)["PARTITIONS"]
    return {each["URI"]: each for one in partition["SETS"] for each in one["Destinations"]}


@pytest.mark.parametrize("word", ["a", "A", "active", "1"])
def test_the_first_letter_of_a_state_counts(proxy: SandboxProxy, word: str) -> None:
    answer(proxy, "ds_set_state", {"state": "i", "group": "1", "address": FIRST})
    answer(proxy, "ds_set_state", {"state": word, "group": "1", "address": FIRST})
    assert destinations(proxy)[FIRST]["state"] == "Active"


@pytest.mark.parametrize("word", ["", "x", " a"])
def test_any_other_state_is_bad(proxy: SandboxProxy, word: str) -> None:
    refused = refusal(proxy, "ds_set_state", state=word, group="nope", address="")
    assert refused == {"code": 500, "message": "Bad state value"}


@pytest.mark.parametrize("group", ["1", 1, "default:1", " default : 1", "01"])
def test_a_group_is_a_set_of_a_partition(proxy: SandboxProxy, group: str | int) -> None:
    assert answer(proxy, "ds_set_state", {"state": "i", "group": group, "address": FIRST}) == "OK"
    assert destinations(proxy)[FIRST]["state"] == "Inactive"


@pytest.mark.parametrize("group", ["1:", "x:/1", "abc", "", "-1", "1 "])
def test_a_group_whose_set_is_no_number_is_bad(proxy: SandboxProxy, group: str) -> None:
    refused = refusal(proxy, "ds_set_state", state="a", group=group, address=FIRST)
    assert refused == {"code": 500, "message": "bad group value"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"state": "x", "group": "x:1", "address": []}, "Bad state value"),
        ({"state": "a", "group": "x:1", "address": []}, "ERROR Unknown partition"),
        ({"state": "a", "group": "abc", "address": []}, "bad group value"),
        ({"state": "a", "group": "1", "address": []}, "Invalid params"),
    ],
)
def test_of_several_wrong_parameters_the_first_is_reported(
    proxy: SandboxProxy, given: dict[str, object], message: str
) -> None:
    assert refusal(proxy, "ds_set_state", **given)["message"] == message


def test_a_missing_set_has_no_destination(proxy: SandboxProxy) -> None:
    refused = refusal(proxy, "ds_set_state", state="a", group="9", address=FIRST)
    assert refused == {"code": 404, "message": "destination not found"}


@pytest.mark.parametrize(("inherit", "state"), [("y", "Inactive"), ("zzz", "Inactive"), ("n", "Active")])
def test_a_reload_keeps_states_by_default(proxy: SandboxProxy, inherit: str, state: str) -> None:
    answer(proxy, "ds_set_state", {"state": "i", "group": "1", "address": FIRST})
    answer(proxy, "ds_reload", {"inherit_state": inherit})
    assert destinations(proxy)[FIRST]["state"] == state


def test_a_reload_that_fails_keeps_the_old_table_and_reports_it(
    proxy: SandboxProxy, rows: list[DestinationRow]
) -> None:
    rows[:] = [DestinationRow(1, "")]
    assert refusal(proxy, "ds_reload") == {"code": 500, "message": "ERROR Reloading data"}
    assert len(destinations(proxy)) == 3
    reports = answer(proxy, "sr_list_reports", {"group": "dispatcher", "identifier": "default"})
    assert reports[-1]["Log"] == "DB data loading failed, discarding"


def test_a_reload_counts_what_it_drops(proxy: SandboxProxy, rows: list[DestinationRow]) -> None:
    rows.append(DestinationRow(1, "sip:nowhere.test:5060"))
    answer(proxy, "ds_reload", None)
    reports = answer(proxy, "sr_list_reports", {"group": "dispatcher", "identifier": "default"})
    assert reports[-1]["Log"] == "3 destinations loaded (1 discarded)"


@pytest.mark.parametrize(
    ("given", "touched"),
    [
        ({"port": 6001, "set": 1}, {FIRST}),
        ({"port": 0, "set": "1"}, {FIRST, "sip:127.0.0.1:6002"}),
        ({"port": 6003, "set": -1}, {"sip:127.0.0.1:6003;transport=udp"}),
        ({"port": 6009, "set": 1}, set()),
    ],
)
def test_script_attributes_go_to_an_address_in_one_set_or_in_all(
    proxy: SandboxProxy, given: dict[str, object], touched: set[str]
) -> None:
    assert answer(proxy, "ds_push_script_attrs", given | {"attrs": "x=1", "ip": "127.0.0.1"}) == "OK"
    assert {uri for uri, each in destinations(proxy).items() if each.get("script_attr") == "x=1"} == touched


def test_a_reload_takes_script_attributes_away(proxy: SandboxProxy) -> None:
    answer(proxy, "ds_push_script_attrs", {"attrs": "x=1", "ip": "127.0.0.1", "port": 0, "set": -1})
    answer(proxy, "ds_reload", None)
    assert not any("script_attr" in each for each in destinations(proxy).values())


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"attrs": ""}, {"code": 500, "message": "Bad attrs value"}),
        ({"ip": "gw.test"}, {"code": 404, "message": "destination not found"}),
        ({"partition": "x"}, {"code": 404, "message": "ERROR Unknown partition"}),
        (
            {"port": "x"},
            {"code": -32602, "message": "Invalid params", "data": "Bad type for parameter 'port'"},
        ),
    ],
)
def test_bad_script_attributes_are_refused(
    proxy: SandboxProxy, changed: dict[str, str], error: dict[str, object]
) -> None:
    given = {"attrs": "x=1", "ip": "127.0.0.1", "port": 6001, "set": 1} | changed
    assert refusal(proxy, "ds_push_script_attrs", **given) == error


def test_a_dialplan_that_fails_to_load_keeps_the_old_rules(proxy: SandboxProxy, rules: list[RuleRow]) -> None:
    rules[:] = [RuleRow(id=1, dpid=1, match_op=0, match_exp="", subst_exp=None, repl_exp="x")]
    error = {"code": -32000, "message": "Server error", "data": "Command handler returned null"}
    assert refusal(proxy, "dp_reload") == error
    assert answer(proxy, "dp_translate", {"dpid": 1, "input": "0012"})["Output"] == "+12"
    status = answer(proxy, "sr_list_reports", {"group": "dialplan", "identifier": "default"})
    assert status[-1]["Log"] == "DB data loading failed, discarding"


@pytest.mark.parametrize(
    ("dpid", "message"),
    [("", "Empty id parameter"), ("x", "Wrong id parameter"), ("1x", "Wrong id parameter")],
)
def test_a_dialplan_has_a_number(proxy: SandboxProxy, dpid: str, message: str) -> None:
    assert refusal(proxy, "dp_translate", dpid=dpid, input="1") == {"code": 404, "message": message}


def test_reports_of_all_groups_name_each_group(proxy: SandboxProxy) -> None:
    listed = answer(proxy, "sr_list_reports", None)
    assert {each["Name"]: [one["Name"] for one in each["Identifiers"]] for each in listed} == {
        "core": ["main"],
        "dispatcher": ["default;events", "default"],
        "dialplan": ["default"],
    }


@pytest.mark.parametrize("method", ["sr_list_reports", "sr_get_status"])
def test_names_of_reports_are_found_in_either_case(proxy: SandboxProxy, method: str) -> None:
    named, shouted = (
        answer(proxy, method, {"group": group, "identifier": identifier})
        for group, identifier in (("dispatcher", "default"), ("DISPATCHER", "Default"))
    )
    assert shouted == named


def test_a_group_is_listed_by_its_own_name(proxy: SandboxProxy) -> None:
    assert answer(proxy, "sr_list_identifiers", {"group": "Core"}) == {
        "Group": "core",
        "Identifiers": ["main"],
    }


def test_the_status_of_a_whole_group_is_aggregated(proxy: SandboxProxy) -> None:
    status = answer(proxy, "sr_get_status", {"group": "dispatcher", "identifier": "all"})
    assert status == {"Readiness": True, "Status": 1, "Details": "aggregated"}


@pytest.mark.parametrize(
    ("method", "given", "message"),
    [
        ("sr_get_status", {"group": "nope"}, "Group not found"),
        ("sr_get_status", {"group": "dispatcher", "identifier": "nope"}, "Identity not found"),
        ("sr_list_reports", {"group": "dispatcher", "identifier": "nope"}, "Identifier not found"),
        ("sr_list_identifiers", {"group": "nope"}, "Group not found"),
        ("subscribers_list", {"event": "E_NOPE"}, "Event not published"),
        (
            "subscribers_list",
            {"event": "E_CORE_LOG", "socket": "udp:127.0.0.1:1"},
            "Subscriber does not exist",
        ),
        ("help", {"mi_cmd": "nope"}, "unknown MI command"),
        ("which", {"command": "nope"}, "unknown MI command"),
    ],
)
def test_what_does_not_exist_is_not_found(
    proxy: SandboxProxy, method: str, given: dict[str, str], message: str
) -> None:
    assert refusal(proxy, method, **given) == {"code": 404, "message": message}


def test_each_change_of_flags_is_an_event_and_a_report(
    proxy: SandboxProxy, sent: list[tuple[str, bytes]]
) -> None:
    answer(proxy, "event_subscribe", {"event": "E_DISPATCHER_STATUS", "socket": "udp:127.0.0.1:9000"})
    answer(proxy, "ds_set_state", {"state": "i", "group": "1", "address": FIRST.upper()})
    [(socket, datagram)] = sent
    assert socket == "udp:127.0.0.1:9000"
    assert json.loads(datagram)["params"] == {
        "group": 1,
        "address": FIRST.upper(),
        "status": "inactive",
        "reason": "MI command",
    }
    reports = answer(proxy, "sr_list_reports", {"group": "dispatcher", "identifier": "default;events"})
    switched = f"DESTINATION <{FIRST.upper()}>, set 1 switched to [inactive] due to MI command\n"
    assert reports[-1]["Log"] == switched


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"event": "E_NOPE"}, {"code": 400, "message": "Bad parameter value"}),
        ({"socket": "tcp:127.0.0.1:9000"}, {"code": 400, "message": "Bad parameter value"}),
        ({"socket": "udp:127.0.0.1"}, {"code": 400, "message": "Bad parameter value"}),
        (
            {"socket": ""},
            {"code": -32602, "message": "Invalid params", "data": "Bad type for parameter 'socket'"},
        ),
        ({"expire": -1}, {"code": -32602, "message": "Invalid params", "data": "Negative expire value"}),
    ],
)
def test_bad_subscriptions_are_refused(
    proxy: SandboxProxy, given: dict[str, str | int], error: dict[str, object]
) -> None:
    params = {"event": "E_DISPATCHER_STATUS", "socket": "udp:127.0.0.1:9000", "expire": 60} | given
    assert refusal(proxy, "event_subscribe", **params) == error


def test_the_number_of_subscribers_is_bounded(proxy: SandboxProxy) -> None:
    for port in range(1, MAX_SUBSCRIBERS + 1):
        answer(proxy, "event_subscribe", {"event": "E_CORE_LOG", "socket": f"udp:127.0.0.1:{port}"})
    given = {"event": "E_DISPATCHER_STATUS", "socket": "udp:127.0.0.1:9000"}
    assert refusal(proxy, "event_subscribe", **given)["code"] == -32000


def test_a_known_subscriber_is_renewed(proxy: SandboxProxy) -> None:
    for expire in (60, 600):
        answer(proxy, "event_subscribe", ["E_CORE_LOG", "udp:127.0.0.1:9000", expire])
    [subscriber] = answer(proxy, "subscribers_list", {"event": "E_CORE_LOG"})["Event"]["Subscribers"]
    assert subscriber["expire"] == 600


@pytest.mark.parametrize("method", ["dispatcher:list", "evi:list", "status_report:reports", "core:version"])
def test_names_with_a_module_came_with_4_0(make_proxy: MakeProxy, method: str) -> None:
    assert answer(make_proxy("4.0.1"), method, None)
    assert refusal(make_proxy("3.6.8"), method) == {"code": -32601, "message": "Method not found"}


def test_a_bad_weight_breaks_the_reload_from_3_6_on(
    make_proxy: MakeProxy, rows: list[DestinationRow]
) -> None:
    older, newer = make_proxy("3.4.18"), make_proxy("3.6.8")
    rows.append(DestinationRow(1, "sip:127.0.0.1:6009", weight="heavy"))
    assert answer(older, "ds_reload", None) == "OK"
    assert refusal(newer, "ds_reload")["code"] == 500


@pytest.mark.parametrize("partition", ["default", "", None, []])
def test_ds_list_takes_what_names_no_partition_for_none(proxy: SandboxProxy, partition: object) -> None:
    assert len(answer(proxy, "ds_list", {"partition": partition})["PARTITIONS"]) == 1


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("ds_list", {"code": 500, "message": "ERROR Unknown partition"}),
        ("ds_reload", {"code": 500, "message": "ERROR Unknown partition"}),
        ("dp_reload", {"code": 400, "message": "Partition not found"}),
        ("dp_show_partition", {"code": 404, "message": "Partition Not Found"}),
    ],
)
def test_there_is_one_partition(proxy: SandboxProxy, method: str, error: dict[str, object]) -> None:
    assert refusal(proxy, method, partition=5) == error


def test_which_lists_what_can_be_called(proxy: SandboxProxy) -> None:
    for name in answer(proxy, "which", None):
        assert answer(proxy, "help", {"mi_cmd": name})["Exported by"]
        assert answer(proxy, "which", {"command": name})


@pytest.mark.parametrize("params", [["1"], {"revision": "1"}, {"revision": 1}])
def test_version_gives_the_revision_when_requested(proxy: SandboxProxy, params: Any) -> None:
    plain = answer(proxy, "version", {})
    assert answer(proxy, "version", params) == plain | {"unknown": "unknown"}
