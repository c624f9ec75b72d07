"""Valid HTTP with a wrong reply inside: no exception but the client's own, and it names the place."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.mi import NotMiError, RefusedError, Reply, WrongShapeError
from efcp.mi.jsonrpc import decode_reply, require_ok
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
from tests.mi.recorded import results

OK = b'{"jsonrpc":"2.0","id":7,"result":"OK"}'


def decode(body: bytes) -> object:
    return decode_reply(body, 7, str)


def with_result(literal: bytes) -> bytes:
    return OK.replace(b'"OK"', literal)


def with_error(literal: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":7,"error":' + literal + b"}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "not valid JSON"),
        (b"OK", "not valid JSON"),
        (OK + OK, "not valid JSON"),
        (b"\xef\xbb\xbf" + OK, "not valid JSON"),
        (OK[:-1], "not valid JSON"),
        (b"null", "not a JSON-RPC 2.0 reply"),
        (b"[" + OK + b"]", "not a JSON-RPC 2.0 reply"),
        (OK.replace(b'"2.0"', b"2.0"), "not a JSON-RPC 2.0 reply"),
        (OK.replace(b'"2.0"', b'"1.0"'), "not a JSON-RPC 2.0 reply"),
        (b'{"jsonrpc":"2.0","id":7}', "either a result or an error"),
        (
            OK.replace(b'"result"', b'"error":{"code":1,"message":"x"},"result"'),
            "either a result or an error",
        ),
        (OK.replace(b"7", b"8"), "id is not the request's"),
        (OK.replace(b"7", b'"7"'), "id is not the request's"),
        (OK.replace(b"7", b"7.0"), "id is not the request's"),
        (OK.replace(b"7", b"null"), "id is not the request's"),
        (OK.replace(b'"id":7,', b""), "id is not the request's"),
        (OK.replace(b"7", b"7" * 4000), "id is not the request's"),
        (with_result(b"[" * 200_000), "nested too deeply"),
        (with_result(b'{"a":' * 200_000), "nested too deeply"),
        (with_result(b"9" * 5000), "too many digits"),
        (with_result(b"1e999"), "too large"),
        (with_result(b"NaN"), "NaN"),
        (with_result(b"-Infinity"), "-Infinity"),
        (with_result(b'{"a":1,"a":2}'), "has a duplicate name"),
        (OK.replace(b'"id":7', b'"id":7,"id":7'), "has a duplicate name"),
        (with_result(rb'"\ud800"'), "lone surrogate"),
        (with_result(b'"\x01"'), "not valid JSON"),
        (with_error(b"null"), "error is not an object"),
        (with_error(b'"no"'), "error is not an object"),
        (with_error(b"{}"), "no proper code or message"),
        (with_error(b'{"code":"500","message":"x"}'), "no proper code or message"),
        (with_error(b'{"code":true,"message":"x"}'), "no proper code or message"),
        (with_error(b'{"code":' + b"9" * 4000 + b',"message":"x"}'), "no proper code or message"),
        (with_error(b'{"code":500,"message":null}'), "no proper code or message"),
        (b'{"jsonrpc":"2.0","id":8,"error":{"code":1,"message":"x"}}', "id is not the request's"),
    ],
)
def test_what_is_no_json_rpc_reply_is_not_mi(body: bytes, expected: str) -> None:
    with pytest.raises(NotMiError, match=expected):
        decode(body)


def test_the_start_of_such_an_answer_is_quoted() -> None:
    with pytest.raises(NotMiError) as error:
        decode(b"Welcome to my router")
    assert error.value.excerpt == "Welcome to my router"


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_not_mi(body: bytes) -> None:
    with pytest.raises(NotMiError):
        decode(body)


@pytest.mark.parametrize(
    ("data", "shown"), [(b"null", ""), (b'"why"', "why"), (b"[1]", "[1]"), (b'{"a":1}', '{"a": 1}')]
)
def test_data_of_an_error_may_be_of_any_type(data: bytes, shown: str) -> None:
    with pytest.raises(RefusedError) as refused:
        decode(with_error(b'{"code":500,"message":"no","data":' + data + b"}"))
    assert refused.value.data == shown


def test_bytes_of_a_latin1_table_become_its_characters() -> None:
    assert decode(with_result('"Köln"'.encode("latin-1"))) == "Köln"


def test_utf8_and_latin1_may_stand_in_one_reply() -> None:
    assert decode(with_result(b'["K\xc3\xb6ln","K\xf6ln"]')) == ["Köln", "Köln"]


def test_escaped_characters_beyond_the_basic_plane_are_read() -> None:
    assert decode(with_result(rb'"\ud83d\ude00"')) == "\N{GRINNING FACE}"


def ds_list(**changes: object) -> Reply:
    destination: dict[str, Any] = {
        "URI": "sip:10.0.0.1",
        "state": "Active",
        "first_hit_counter": 0,
        "weight": 1,
        "priority": 0,
        "resolved_addresses": ["10.0.0.1:5060"],
        **changes,
    }
    sets = [{"id": 1, "Destinations": [{name: v for name, v in destination.items() if v is not ...}]}]
    return Reply({"PARTITIONS": [{"name": "default", "SETS": sets}]}, 0.0)  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URI", ...),
        ("URI", None),
        ("URI", ["sip:10.0.0.1"]),
        ("state", "active"),
        ("state", 0),
        ("first_hit_counter", "0"),
        ("first_hit_counter", -1),
        ("first_hit_counter", 0.5),
        ("first_hit_counter", 10**30),
        ("socket", None),
        ("attr", 5),
        ("script_attr", {}),
        ("weight", True),
        ("weight", 65536),
        ("weight", "1"),
        ("priority", ...),
        ("priority", -1),
        ("description", False),
        ("resolved_addresses", ...),
        ("resolved_addresses", "10.0.0.1:5060"),
    ],
)
def test_a_wrong_field_of_a_destination_is_named(name: str, value: object) -> None:
    with pytest.raises(WrongShapeError) as wrong:
        parse_ds_list(ds_list(**{name: value}))
    assert wrong.value.field == f"result.PARTITIONS[0].SETS[0].Destinations[0].{name}"


def test_an_item_of_a_list_is_named() -> None:
    with pytest.raises(WrongShapeError, match=r"resolved_addresses\[1\] should be a text, but it is null"):
        parse_ds_list(ds_list(resolved_addresses=["10.0.0.1:5060", None]))


def test_members_that_a_newer_version_adds_are_left_alone() -> None:
    assert parse_ds_list(ds_list(latency=12)).partitions[0].sets[0].destinations


@pytest.mark.parametrize("id_", [True, "1", 2**31, -(2**31) - 1, None])
def test_a_sets_id_is_a_c_int(id_: object) -> None:
    result: Any = {"PARTITIONS": [{"name": "default", "SETS": [{"id": id_, "Destinations": []}]}]}
    with pytest.raises(WrongShapeError) as wrong:
        parse_ds_list(Reply(result, 0.0))
    assert wrong.value.field == "result.PARTITIONS[0].SETS[0].id"


@pytest.mark.parametrize("timestamp", [-1, 253402300800, 10**30, "1795426721", 1795426721.5])
def test_a_reports_time_must_be_one(timestamp: object) -> None:
    result: Any = [{"Timestamp": timestamp, "Date": "", "Log": ""}]
    with pytest.raises(WrongShapeError) as wrong:
        parse_reports(Reply(result, 0.0), "dispatcher", "default")
    assert wrong.value.field == "result[0].Timestamp"


@pytest.mark.parametrize("server", ["", "nginx", "OpenSIPS (3.4.18)", "OpenSIPS 3.4.18 (x86_64/linux)"])
def test_a_version_that_names_none_is_refused(server: str) -> None:
    with pytest.raises(WrongShapeError, match="OpenSIPS"):
        parse_version(Reply({"Server": server}, 0.0))


@pytest.mark.parametrize("up_time", ["", "soon", "-1 [sec]", "1 [min]", "9" * 30 + " [sec]"])
def test_an_uptime_that_is_none_is_refused(up_time: str) -> None:
    with pytest.raises(WrongShapeError, match="Up time"):
        parse_uptime(Reply({"Now": "", "Up since": "", "Up time": up_time}, 0.0))


def test_a_change_that_answers_anything_but_ok_is_not_believed() -> None:
    with pytest.raises(WrongShapeError, match="“OK”"):
        require_ok(["OK"])


def require_ok_of(reply: Reply) -> None:
    require_ok(reply.result)


PARSERS: dict[str, Callable[[Reply], object]] = {
    "ds_list": parse_ds_list,
    "ds_reload": require_ok_of,
    "dp_translate": parse_translation,
    "dp_show_partition": parse_all_partitions,
    "dp_show_partition of one": parse_one_partition,
    "sr_list_reports": parse_reports,
    "sr_list_reports of a group": lambda reply: parse_reports(reply, "dispatcher"),
    "sr_list_reports of an identifier": lambda reply: parse_reports(reply, "dispatcher", "default"),
    "version": parse_version,
    "uptime": parse_uptime,
    "which": parse_command_names,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def put(value: Any, place: tuple[str | int, ...], new: object) -> Any:
    """`value` with `new` at that place."""
    if not place:
        return new
    changed = json.loads(json.dumps(value))
    target = changed
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = new
    return changed


@pytest.mark.parametrize("command", PARSERS)
@given(data=st.data())
def test_no_type_anywhere_in_a_recorded_result_breaks_a_parser(command: str, data: st.DataObject) -> None:
    name = command.split()[0]
    _params, result = data.draw(st.sampled_from(results(name)))
    place = data.draw(st.sampled_from(places(result)))
    reply = Reply(put(result, place, data.draw(JSON)), 0.0)
    with contextlib.suppress(WrongShapeError):
        PARSERS[command](reply)
