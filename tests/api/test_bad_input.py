"""Whatever is sent, it gets a problem that says what is wrong, and nothing is half done."""

import json
import re
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.models import Destination
from efcp.api.exchange import DEEPEST, LARGEST_BODY, read_json
from efcp.api.problems import CONTENT_TYPE, ProblemError
from efcp.api.urls import description
from tests.api.conftest import V1, ApiClient

GATEWAY = {"setid": 1, "destination": "sip:10.0.0.1:5060"}
SECRET = "efcp_0123456789ab_x"
BODIES: dict[str, tuple[bytes, str, int]] = {
    "too large": (b'"' + b"x" * LARGEST_BODY + b'"', "application/json", 413),
    "deep": (b"[" * 100_000, "application/json", 400),
    "cut off": (b'{"setid": 1', "application/json", 400),
    "nothing": (b"", "application/json", 422),
    "a list": (b"[1]", "application/json", 422),
    "a name twice": (b'{"setid": 1, "setid": 2}', "application/json", 400),
    "not a number": (b'{"setid": NaN}', "application/json", 400),
    "UTF-16": (json.dumps(GATEWAY).encode("utf-16"), "application/json", 400),
    "latin1": (b'{"setid": 1, "destination": "sip:\xe9"}', "application/json", 400),
    "a form": (b"setid=1&destination=sip:10.0.0.1", "application/x-www-form-urlencoded", 415),
    "an unknown field": (json.dumps(GATEWAY | {"colour": 1}).encode(), "application/json", 422),
    "a surrogate": (b'{"setid": 1, "destination": "sip:\\ud800"}', "application/json", 400),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused(admin: ApiClient, name: str) -> None:
    body, content_type, status = BODIES[name]
    answer = admin.post(f"{V1}/destinations", body, content_type=content_type)
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    assert not Destination.objects.exists()


def test_a_body_of_100_mb_is_refused_before_it_is_read(admin: ApiClient) -> None:
    for path in ("/destinations", "/plan", "/apply"):
        answer = admin.generic("POST", f"{V1}{path}", b"", "application/json", CONTENT_LENGTH="100000000")
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def example_of(operation: dict[str, Any]) -> dict[str, Any]:
    return dict(operation["requestBody"]["content"]["application/json"]["example"])


def test_an_unknown_field_and_a_wrong_type_in_each_field_of_each_body_are_refused(admin: ApiClient) -> None:
    bodies = [
        (method, path, operation)
        for path, operations in description()["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]
    assert len(bodies) > 15
    for method, path, operation in bodies:
        address = re.sub(r"{\w+}", "1", path.removeprefix(V1))
        for name in (*example_of(operation), "colour"):
            sent = example_of(operation) | {name: {"a": [1]}}
            answer = admin.send(method.upper(), address, sent, If_Match="*")
            assert answer.status_code == 422, (path, name, answer.content)
            assert any(each["field"].partition(".")[0] == name for each in answer.json()["findings"]), (
                path,
                name,
            )


@pytest.mark.parametrize("value", [None, True, 1.5, -1, 2**80, "1", "x" * 300, [], {}, "\0", "💥"])
def test_a_value_of_another_type_is_refused_at_its_field(admin: ApiClient, value: Any) -> None:
    for field in ("setid", "destination", "weight", "state", "probe_mode", "priority", "attrs", "socket"):
        answer = admin.send("POST", "/destinations?dry_run=true", GATEWAY | {field: value})
        assert answer.status_code in {200, 422}, answer.content
        if answer.status_code == 422:
            assert any(each["severity"] == "error" for each in answer.json()["findings"])


@pytest.mark.parametrize(
    "address", [f"/destinations?token={SECRET}", f"/destinations?q={SECRET}", f"/destinations/{SECRET}"]
)
def test_a_token_in_an_address_is_refused(admin: ApiClient, address: str) -> None:
    answer = admin.send("GET", address)
    assert answer.status_code in {400, 404}
    assert SECRET not in answer.content.decode()


def test_an_address_or_method_that_does_not_exist_gets_a_problem(db: None) -> None:
    for answer in (
        Client().get(f"{V1}/nothing"),
        Client().get(f"{V1}/no%0Athing"),
        Client().put(f"{V1}/rules"),
        Client().post(f"{V1}/x/y"),
    ):
        assert answer.status_code in {404, 405}
        assert answer.headers["Content-Type"] == CONTENT_TYPE
    assert "POST" in Client().put(f"{V1}/rules").headers["Allow"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_json_is_read_as_it_is_written(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value


@given(st.integers(1, 60), st.booleans())
def test_depth_is_limited(depth: int, hides: bool) -> None:
    text = "[" * depth + ('"]]["' if hides else "1") + "]" * depth
    if depth <= DEEPEST:
        assert read_json(text.encode())
    else:
        with pytest.raises(ProblemError, match="within each other"):
            read_json(text.encode())


@given(st.dictionaries(st.sampled_from(["setid", "destination", "weight", "state", "q"]), JSON, max_size=4))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_ends_in_a_server_error(admin: ApiClient, body: dict[str, Any]) -> None:
    assert admin.send("POST", "/destinations?dry_run=true", GATEWAY | body).status_code < 500
