"""Reloads and states over the API, on a proxy that answers over MI."""

from collections.abc import Callable

import pytest

from efcp.operations.reloads.models import ReloadRun
from efcp.operations.states.models import StateRun
from efcp.proxies.models import Proxy
from tests.api.conftest import ApiClient
from tests.operations.conftest import URI, add_row, edge, play, proxy
from tests.operations.fake_proxy import FakeProxy

__all__ = ["add_row", "edge", "play", "proxy"]

pytestmark = pytest.mark.long


class TestReload:
    def test_it_is_answered_with_the_address_of_its_run(self, proxy: Proxy, admin: ApiClient) -> None:
        answer = admin.send("POST", "/dispatcher/reloads?wait=20", {"reason": "new"}, Idempotency_Key="a")
        assert answer.status_code == 202
        run = ReloadRun.objects.get()
        address = f"/dispatcher/reloads/{run.pk}"
        assert answer.headers["Location"] == f"/cp/api/v1{address}"
        found = admin.send("GET", f"{address}?wait=20").json()
        assert answer.json()["data"] == found
        assert (found["is_open"], found["reason"], found["results"][0]["outcome"]) == (False, "new", "done")

    def test_one_that_is_repeated_with_its_key_is_sent_once(
        self, proxy: Proxy, edge: FakeProxy, admin: ApiClient
    ) -> None:
        first, second = (
            admin.send("POST", "/dispatcher/reloads?wait=20", {}, Idempotency_Key="a") for _ in range(2)
        )
        assert second.json()["data"] == first.json()["data"]
        assert second.headers["Location"] == first.headers["Location"]
        assert len(edge.commands_of("ds_reload")) == 1

    def test_a_dry_run_sends_nothing(
        self, proxy: Proxy, edge: FakeProxy, admin: ApiClient, add_row: Callable[..., int]
    ) -> None:
        add_row("sip:10.0.0.7")
        effect = admin.send("POST", "/dispatcher/reloads?dry_run=true", {}).json()["effect"]
        assert effect["proxies"][0]["added"]["count"] == 1
        assert not ReloadRun.objects.exists()
        assert not edge.commands_of("ds_reload")

    def test_what_the_form_refuses_is_refused(self, proxy: Proxy, admin: ApiClient) -> None:
        refused: tuple[dict[str, object], ...] = ({"proxies": []}, {"proxies": [999]}, {"first": 999})
        for body in refused:
            answer = admin.send("POST", "/dispatcher/reloads", body)
            assert answer.status_code == 422, body
            assert answer.json()["findings"][0]["field"] in {"proxies", "first"}


class TestStates:
    def test_a_state_is_set_read_back_and_undone(
        self, proxy: Proxy, edge: FakeProxy, admin: ApiClient, add_row: Callable[..., int]
    ) -> None:
        body = {"state": "inactive", "destinations": [add_row(URI)]}
        preview = admin.send("POST", "/state-runs?dry_run=true", body).json()["effect"]
        assert preview["emptied"] == [{"setid": 1, "proxy": proxy.name}]
        assert not edge.commands_of("ds_set_state")
        answers = [
            admin.send("POST", "/state-runs?wait=20", body, Idempotency_Key="a").json()["data"]
            for _ in range(2)
        ]
        assert answers[0] == answers[1]
        result = answers[0]["results"][0]
        assert (result["outcome"], result["before"], result["after"]) == ("done", "active", "inactive")
        assert len(edge.commands_of("ds_set_state")) == 1
        undone = admin.send("POST", f"/state-runs/{answers[0]['id']}/undo?wait=20", {}).json()["data"]
        assert (undone["undoes"], undone["results"][0]["after"]) == (answers[0]["id"], "active")
        assert StateRun.objects.count() == 2

    def test_a_token_for_other_sets_sets_none(
        self, proxy: Proxy, api: Callable[..., ApiClient], add_row: Callable[..., int]
    ) -> None:
        body = {"state": "inactive", "destinations": [add_row(URI)]}
        assert api(sets=(7,)).send("POST", "/state-runs", body).status_code == 403
        assert not StateRun.objects.exists()
