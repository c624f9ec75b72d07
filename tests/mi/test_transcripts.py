"""Every recorded reply of 3.4, 3.6 and 4.0 is understood."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from efcp.mi import (
    Endpoint,
    ListedDestination,
    ListedState,
    LoadCount,
    MiClient,
    RefusedError,
    Reply,
    StateSwitch,
    StatusReport,
    UnfinishedReplyError,
)
from efcp.mi import client as mi_client
from efcp.mi.errors import MiError, NotMiError, TooSlowError
from efcp.mi.jsonrpc import require_ok
from efcp.mi.replies import (
    parse_all_partitions,
    parse_command_names,
    parse_ds_list,
    parse_one_partition,
    parse_reports,
    parse_translation,
    parse_uptime,
    parse_version,
)
from tests.mi.misbehaving import Peer, Play, Serve
from tests.mi.recorded import MI, VERSIONS, exchanges, load, results


def given(result: object) -> Reply:
    """A reply that took a quarter of a second."""
    return Reply(result, 0.25)  # type: ignore[arg-type]  # JSON is of any type


@pytest.mark.parametrize("version", VERSIONS)
def test_every_exchange_comes_through_the_client_as_recorded(serve: Serve, version: str) -> None:
    transcript = MI[version]["transcript"]
    coming: Iterator[dict[str, Any]] = iter(transcript)
    server = serve(lambda peer: peer.reply(**next(coming)["reply"]))
    client = MiClient(Endpoint(server.url))
    for exchange in transcript:
        reply = exchange["reply"]
        if "error" not in reply:
            assert client.call(exchange["method"], exchange["params"]).result == reply["result"]
            continue
        with pytest.raises(RefusedError) as refused:
            client.call(exchange["method"], exchange["params"])
        found = (refused.value.code, refused.value.message, refused.value.data)
        assert found == (reply["error"]["code"], reply["error"]["message"], reply["error"].get("data", ""))
    assert [peer.request["method"] for peer in server.requests] == [one["method"] for one in transcript]


def as_listed(destination: ListedDestination) -> dict[str, Any]:
    """A destination as ds_list writes it: empty texts are left out."""
    texts = {
        "socket": destination.socket,
        "attr": destination.attrs,
        "script_attr": destination.script_attrs,
        "description": destination.description,
    }
    details = {"weight": destination.weight, "priority": destination.priority}
    return {
        "URI": destination.uri,
        "state": destination.state.value,
        "first_hit_counter": destination.first_hit_counter,
        "resolved_addresses": list(destination.resolved_addresses),
        **{name: text for name, text in texts.items() if text},
        **{name: number for name, number in details.items() if number is not None},
    }


@pytest.mark.parametrize("method", ["ds_list", "dispatcher:list"])
def test_nothing_of_a_ds_list_is_lost(method: str) -> None:
    recorded = results(method)
    assert recorded
    for _params, result in recorded:
        (partition,) = parse_ds_list(given(result)).partitions
        sets = [
            {"id": one.id, "Destinations": [as_listed(destination) for destination in one.destinations]}
            for one in partition.sets
        ]
        (listed,) = result["PARTITIONS"]
        assert {"name": partition.name, "SETS": sets} == {"SETS": [], **listed}


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_table_is_a_partition_without_sets(version: str) -> None:
    _params, first = results("ds_list", version)[0]
    listing = parse_ds_list(given(first))
    assert [(partition.name, partition.sets) for partition in listing.partitions] == [("default", ())]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_full_list_has_weight_priority_and_description(version: str) -> None:
    full = next(result for params, result in results("ds_list", version) if params.get("full") == 1)
    default = parse_ds_list(given(full)).partition("default")
    assert default is not None
    assert default.sets[1].destinations[1] == ListedDestination(
        uri="sip:127.0.0.1:6001",
        state=ListedState.ACTIVE,
        first_hit_counter=0,
        socket="",
        attrs="a=1",
        script_attrs="",
        weight=2,
        priority=0,
        description="one",
        resolved_addresses=("127.0.0.1:6001",),
    )


def test_without_full_weight_priority_and_description_are_unknown() -> None:
    plain = next(result for params, result in results("ds_list") if not params and "SETS" in str(result))
    destination = parse_ds_list(given(plain)).partitions[0].sets[0].destinations[0]
    assert (destination.weight, destination.priority, destination.description) == (None, None, None)


def test_a_partition_that_is_not_there_is_none() -> None:
    assert parse_ds_list(given({"PARTITIONS": []})).partition("default") is None


@pytest.mark.parametrize("method", ["ds_reload", "ds_set_state", "dp_reload", "dialplan:reload"])
def test_changes_answer_ok(method: str) -> None:
    recorded = results(method)
    assert recorded
    for _params, result in recorded:
        require_ok(result)


def test_a_translation_has_output_and_attributes() -> None:
    recorded = results("dp_translate")
    assert recorded
    for _params, result in recorded:
        translation = parse_translation(given(result))
        assert (translation.output, translation.attributes) == ("+4912", "intl")


def test_every_translation_of_the_dialplan_vectors_is_read() -> None:
    replies = [
        reply
        for one in load("dialplan.json.gz")["translate"]
        for _input, reply in one["results"]
        if "Output" in reply
    ]
    assert replies
    for reply in replies:
        translation = parse_translation(given(reply))
        assert {"Output": translation.output, "ATTRIBUTES": translation.attributes} == reply


def test_dialplan_partitions_read_alike_with_and_without_a_name() -> None:
    for params, result in results("dp_show_partition"):
        parse = parse_one_partition if params.get("partition") else parse_all_partitions
        (partition,) = parse(given(result)).partitions
        assert (partition.name, partition.table) == ("default", "dialplan")
        assert partition.db_url.startswith("mysql://opensips@127.0.0.1/")


@pytest.mark.parametrize("version", VERSIONS)
def test_reports_read_alike_for_a_group_and_for_an_identifier(version: str) -> None:
    replies = {len(params): result for params, result in results("sr_list_reports", version)}
    of_group = parse_reports(given(replies[1]), "dispatcher")
    of_identifier = parse_reports(given(replies[2]), "dispatcher", "default;events")
    assert of_group.of("dispatcher", "default;events") == of_identifier.identifiers[0]


def test_reports_of_all_groups_name_their_group() -> None:
    one = {"Timestamp": 1795426721, "Date": "Mon Nov 23 09:38:41 2026", "Log": "hello"}
    result = [{"Name": "core", "Identifiers": [{"Name": "main", "Reports": [one]}]}]  # status_report.c
    found = parse_reports(given(result)).of("core", "main")
    assert found is not None
    assert found.reports == (StatusReport(datetime(2026, 11, 23, 9, 38, 41, tzinfo=UTC), "hello"),)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_last_load_shows_how_many_were_loaded_and_discarded(version: str) -> None:
    group = next(result for params, result in results("sr_list_reports", version) if len(params) == 1)
    found = parse_reports(given(group), "dispatcher").of("dispatcher", "default")
    assert found is not None
    assert found.last_load_count() == LoadCount(loaded=3, discarded=0)


def test_a_load_that_never_finished_has_no_count() -> None:
    found = parse_reports(given([]), "dispatcher", "default").identifiers[0]
    assert found.last_load_count() is None


def test_a_dialplan_report_counts_rules() -> None:
    recorded = {case["report"] for case in load("dialplan.json.gz")["accept"]}
    texts = {text for text in recorded if "rules loaded" in text}
    assert texts
    for text in texts:
        count = StatusReport(datetime.now(UTC), text).load_count()
        assert count is not None
        assert text == f"{count.loaded} rules loaded ({count.discarded} discarded)"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_switch_names_destination_set_and_reason(version: str) -> None:
    events = next(result for params, result in results("sr_list_reports", version) if len(params) == 2)
    reports = parse_reports(given(events), "dispatcher", "default;events").identifiers[0].reports
    assert [report.state_switch() for report in reports[:2]] == [
        StateSwitch("sip:127.0.0.1:6001", 1, active=False, reason="MI command"),
        StateSwitch("sip:127.0.0.1:6001", 1, active=True, reason="MI command"),
    ]


def test_other_reports_are_neither_counts_nor_switches() -> None:
    report = StatusReport(datetime.now(UTC), "starting DB data loading")
    assert (report.load_count(), report.state_switch()) == (None, None)


@pytest.mark.parametrize(("version", "release"), [("3.4", "3.4.18"), ("3.6", "3.6.8"), ("4.0", "4.0.1")])
def test_a_version_is_taken_apart(version: str, release: str) -> None:
    ((_params, result),) = results("version", version)
    found = parse_version(given(result))
    assert (found.server, found.version, found.platform) == ("OpenSIPS", release, "x86_64/linux")


def test_an_uptime_counts_seconds() -> None:
    for _params, result in results("uptime"):
        uptime = parse_uptime(given(result))
        assert f"{uptime.up_time_s} [sec]" == result["Up time"]
        assert (uptime.now, uptime.up_since) == (result["Now"], result["Up since"])


@pytest.mark.parametrize(
    ("version", "name"), [("3.4", "ds_list"), ("3.6", "ds_list"), ("4.0", "dispatcher:list")]
)
def test_which_names_commands(version: str, name: str) -> None:
    ((_params, result),) = results("which", version)
    assert name in parse_command_names(given(result)).names


def test_every_result_shows_its_round_trip(serve: Serve) -> None:
    server = serve(lambda peer: peer.reply(result="OK"))
    assert MiClient(Endpoint(server.url)).dp_reload().round_trip_s > 0
    ((_params, version),) = results("version", "3.4")
    assert parse_version(given(version)).round_trip_s == 0.25


def replayed(reply: tuple[int, str | None, str]) -> Play:
    """What a server did after a malformed request, by the record: answer, hang in the body, or close."""
    status, content_type, body = reply

    def play(peer: Peer) -> None:
        if status == 0:
            return None if body == "RemoteDisconnected" else peer.say_nothing()
        if body.startswith("HANG"):
            peer.send(f"HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\n".encode())
            peer.send(b"Transfer-Encoding: chunked\r\n\r\n")
            return peer.say_nothing()
        return peer.answer(body.encode(), f"{status} Status", content_type or "")

    return play


RAW_ERRORS: dict[str, type[MiError]] = {
    "bad_json": RefusedError,
    "empty": UnfinishedReplyError,
    "batch": RefusedError,
    "no_id": TooSlowError,
    "no_version": NotMiError,  # refused under the recorded id, which is not that of the request here
    "str_id": NotMiError,
    "wrong_ctype": NotMiError,
    "get": UnfinishedReplyError,
    "wrong_path": NotMiError,
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", RAW_ERRORS)
def test_a_recorded_answer_to_a_malformed_request_is_survived(
    serve: Serve, version: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The recorded replies carry the id 1, which is also that of the first request of a process.
    monkeypatch.setattr(mi_client, "_request_ids", itertools.count(2))
    (recorded,) = (one for one in MI[version]["raw"] if one["case"] == case)
    server = serve(replayed(recorded["reply"]))
    with pytest.raises(MiError) as error:
        MiClient(Endpoint(server.url)).version(timeout=1.0)
    assert type(error.value) is RAW_ERRORS[case]


def test_the_table_of_malformed_cases_is_whole() -> None:
    assert {one["case"] for version in VERSIONS for one in MI[version]["raw"]} == set(RAW_ERRORS)


def test_the_transcripts_hold_every_command_that_the_client_has() -> None:
    commands = {
        "ds_list",
        "ds_reload",
        "ds_set_state",
        "dp_reload",
        "dp_translate",
        "dp_show_partition",
        "sr_list_reports",
        "version",
        "uptime",
        "which",
    }
    assert commands <= {exchange["method"] for exchange in exchanges()}
