"""What the client sends."""

import pytest

from efcp.mi import Endpoint, ListedState, MiClient
from tests.mi.misbehaving import MisbehavingServer, Peer, Serve


def ok(peer: Peer) -> None:
    peer.reply(result="OK")


def sent(server: MisbehavingServer) -> tuple[str, object]:
    request = server.requests[-1].request
    return request["method"], request.get("params")


def test_a_request_is_a_post_of_json_with_an_id(serve: Serve) -> None:
    server = serve(ok)
    MiClient(Endpoint(server.url)).call("ds_reload")
    lines = server.requests[0].head.split("\r\n")
    assert lines[0] == "POST /mi HTTP/1.1"
    assert "Content-Type: application/json" in lines
    assert server.requests[0].request.keys() == {"jsonrpc", "id", "method"}


def test_no_compressed_answer_is_requested(serve: Serve) -> None:
    server = serve(ok)
    MiClient(Endpoint(server.url)).call("ds_reload")
    assert "Accept-Encoding: identity" in server.requests[0].head.split("\r\n")


def test_two_requests_have_different_ids(serve: Serve) -> None:
    server = serve(ok)
    client = MiClient(Endpoint(server.url))
    client.call("ds_reload")
    client.call("ds_reload")
    first, second = (peer.request["id"] for peer in server.requests)
    assert first != second


def test_credentials_go_as_basic_auth(serve: Serve) -> None:
    server = serve(ok)
    MiClient(Endpoint(server.url, "Aladdin", "open sesame")).call("ds_reload")
    assert "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" in server.requests[0].head.split("\r\n")


def test_proxies_of_the_environment_are_not_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    server = serve(ok)
    MiClient(Endpoint(server.url)).call("ds_reload")
    assert len(server.requests) == 1


def test_a_nul_in_a_parameter_is_never_sent(serve: Serve) -> None:
    server = serve(ok)
    with pytest.raises(ValueError, match="NUL"):
        MiClient(Endpoint(server.url)).ds_set_state(ListedState.ACTIVE, 1, "sip:10.0.0.1\0.example")
    assert not server.requests


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan"), float("inf")])
def test_a_timeout_must_be_positive_and_finite(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        MiClient(Endpoint("http://127.0.0.1:1/mi"), timeout).call("version")


@pytest.mark.parametrize(
    ("state", "letter"),
    [(ListedState.ACTIVE, "a"), (ListedState.INACTIVE, "i"), (ListedState.PROBING, "p")],
)
def test_ds_set_state_sends_the_states_letter(serve: Serve, state: ListedState, letter: str) -> None:
    server = serve(ok)
    MiClient(Endpoint(server.url)).ds_set_state(state, 5, "sip:10.0.0.1")
    assert sent(server) == ("ds_set_state", {"state": letter, "group": "5", "address": "sip:10.0.0.1"})


def test_ds_set_state_names_the_partition_before_the_set(serve: Serve) -> None:
    server = serve(ok)
    client = MiClient(Endpoint(server.url))
    client.ds_set_state(ListedState.ACTIVE, 5, "sip:10.0.0.1", partition="trunks")
    method, params = sent(server)
    assert (method, params) == (
        "ds_set_state",
        {"state": "a", "group": "trunks:5", "address": "sip:10.0.0.1"},
    )


@pytest.mark.parametrize(("inherit_state", "letter"), [(True, "y"), (False, "n")])
def test_ds_reload_sends_whether_states_are_inherited(serve: Serve, inherit_state: bool, letter: str) -> None:
    server = serve(ok)
    MiClient(Endpoint(server.url)).ds_reload(partition="default", inherit_state=inherit_state)
    assert sent(server) == ("ds_reload", {"partition": "default", "inherit_state": letter})


def test_dp_reload_without_a_partition_has_no_params(serve: Serve) -> None:
    server = serve(ok)
    MiClient(Endpoint(server.url)).dp_reload()
    assert sent(server) == ("dp_reload", None)


def test_an_identifier_without_its_group_is_refused() -> None:
    with pytest.raises(ValueError, match="group"):
        MiClient(Endpoint("http://127.0.0.1:1/mi")).sr_list_reports(identifier="default")
