"""Requests as the proxy's MI core takes them, strange ones included."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.sandbox.jsonrpc import MiRefusalError, Params, Unanswered, answer


def echo(method: str, params: Params) -> Any:
    """The call itself."""
    return [method, params]


def answered(body: str | bytes) -> Any:
    """The decoded answer to a body."""
    reply = answer(body.encode() if isinstance(body, str) else body, echo)
    assert isinstance(reply, bytes)
    return json.loads(reply)


@pytest.mark.parametrize("request_id", [1, "abc", None, 0])
def test_a_call_is_answered_under_its_id(request_id: object) -> None:
    request = {"jsonrpc": "2.0", "id": request_id, "method": "m", "params": {"a": 1}}
    assert answered(json.dumps(request)) == {"jsonrpc": "2.0", "result": ["m", {"a": 1}], "id": request_id}


def test_a_refusal_is_an_error_object() -> None:
    def refuse(_method: str, _params: Params) -> Any:
        raise MiRefusalError(404, "Group not found")

    reply = answer(b'{"jsonrpc":"2.0","id":1,"method":"m"}', refuse)
    assert reply == b'{"jsonrpc":"2.0","error":{"code":404,"message":"Group not found"},"id":1}'


@pytest.mark.parametrize("body", ["{bad", "", "\xff", '{"id":NaN}', "[" * 100_000])
def test_what_is_no_json_is_a_parse_error(body: str) -> None:
    assert answered(body.encode("latin-1"))["error"] == {"code": -32700, "message": "Parse error"}


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "5",
        '[{"jsonrpc":"2.0","id":1,"method":"m"}]',
        '{"id":1,"method":"m"}',
        '{"jsonrpc":"2.0","id":1}',
        '{"jsonrpc":"2.0","id":1,"method":5}',
        '{"jsonrpc":"2.0","id":1,"method":"m","params":"p"}',
        '{"jsonrpc":"2.0","id":1,"method":"m","params":null}',
    ],
)
def test_what_is_no_call_is_an_invalid_request(body: str) -> None:
    assert answered(body)["error"] == {"code": -32600, "message": "Invalid Request"}


@pytest.mark.parametrize(
    "body",
    [
        '{"JSONRPC":"2.0","Id":1,"METHOD":"m"}',
        ' \n{"jsonrpc":"2.0","id":1,"method":"m"} and more',
    ],
)
def test_names_in_either_case_and_whatever_follows_are_taken(body: str) -> None:
    assert answered(body) == {"jsonrpc": "2.0", "result": ["m", None], "id": 1}


def test_a_call_without_an_id_is_carried_out_and_not_answered() -> None:
    calls: list[str] = []

    def note(method: str, _params: Params) -> Any:
        calls.append(method)

    assert answer(b'{"jsonrpc":"2.0","method":"ds_reload"}', note) is Unanswered.NOTIFICATION
    assert calls == ["ds_reload"]


@pytest.mark.parametrize("request_id", ["true", "[]", "{}"])
def test_an_id_of_another_type_can_not_be_answered(request_id: str) -> None:
    body = f'{{"jsonrpc":"2.0","id":{request_id},"method":"m"}}'
    assert answer(body.encode(), echo) is Unanswered.UNPRINTABLE


def test_half_a_surrogate_does_not_stop_the_answer() -> None:
    assert answered(r'{"jsonrpc":"2.0","id":1,"method":"\ud800"}')["result"] == ["?", None]


@given(st.binary(max_size=200))
def test_any_bytes_have_an_outcome(body: bytes) -> None:
    assert isinstance(answer(body, echo), bytes | Unanswered)
