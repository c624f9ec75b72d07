"""Desired state over the API."""

from collections.abc import Callable

from dispatcher.models import Destination
from efcp.operations.desired.models import AppliedPlan
from tests.api.conftest import ApiClient
from tests.factories import DestinationFactory, ProxyFactory

URI = "sip:10.0.0.1:5060"


def document(*destinations: str, setid: int = 1) -> str:
    rows = "".join(f"      - destination: {each}\n" for each in destinations)
    return f"version: 1\nsets:\n  {setid}:\n    destinations:\n{rows or '      []'}"


class TestPlanAndApply:
    def test_an_export_differs_in_nothing_and_what_is_applied_is_stored_once(self, admin: ApiClient) -> None:
        DestinationFactory.create(setid=1, destination=URI)
        text = admin.send("GET", "/desired-state").json()["document"]
        assert admin.send("POST", "/plan", {"document": text}).json()["change_count"] == 0
        body = {"document": document(URI, "sip:10.0.0.2")}
        plan = admin.send("POST", "/plan", body).json()
        assert [(each["kind"], each["label"]) for each in plan["changes"]] == [
            ("new", "sip:10.0.0.2 in set 1")
        ]
        assert plan["effect"]["dispatcher"]
        dry = admin.send("POST", "/apply?dry_run=true", body).json()
        assert (dry["data"], dry["effect"]["plan_id"], Destination.objects.count()) == (
            None,
            plan["plan_id"],
            1,
        )
        sent = [admin.send("POST", "/apply", body, Idempotency_Key="k") for _ in range(2)]
        assert [each.status_code for each in sent] == [202, 202]
        assert sent[0].json()["data"] == sent[1].json()["data"]
        assert sent[0].json()["data"]["clean"]
        assert sent[1].headers["Idempotency-Replayed"] == "true"
        again = admin.send("POST", "/apply", body)
        assert (again.status_code, again.json()["data"]) == (200, None)
        assert (Destination.objects.count(), AppliedPlan.objects.count()) == (2, 1)
        assert admin.send("GET", sent[0].headers["Location"].removeprefix("/cp/api/v1")).json()["changes"]
        assert len(admin.send("GET", "/applied-plans").json()["items"]) == 1

    def test_a_dry_run_refuses_the_keys_that_the_run_itself_would(self, admin: ApiClient) -> None:
        ProxyFactory.create()
        for path, body in (
            ("/apply", {"document": document(URI)}),
            ("/dispatcher/reloads", {"reason": "new gateway"}),
        ):
            refused = admin.send("POST", f"{path}?dry_run=true", body, Idempotency_Key="two words")
            assert (path, refused.status_code, refused.json()["code"]) == (path, 400, "key")

    def test_another_plan_than_the_approved_one_is_refused(self, admin: ApiClient) -> None:
        body = {"document": document(URI)}
        plan_id = admin.send("POST", "/plan", body).json()["plan_id"]
        DestinationFactory.create(setid=2, destination=URI)
        refused = admin.send("POST", "/apply", body | {"plan_id": plan_id})
        assert (refused.status_code, refused.json()["code"]) == (409, "other_plan")
        assert Destination.objects.count() == 1

    def test_findings_name_the_place_and_the_line(self, admin: ApiClient) -> None:
        answer = admin.send("POST", "/plan", {"document": document("no uri")})
        assert answer.status_code == 422
        [finding] = [each for each in answer.json()["findings"] if each["severity"] == "error"]
        assert finding["field"] == "sets.1.destinations.destination"
        assert finding["text"].startswith("line 5: ")
        for body in ({"document": "x: *a"}, {"document": document(URI), "only": ["frob"]}):
            assert admin.send("POST", "/apply", body).status_code == 422

    def test_a_token_for_some_sets_plans_and_applies_these_only(self, api: Callable[..., ApiClient]) -> None:
        DestinationFactory.create(setid=1, destination=URI)
        DestinationFactory.create(setid=2, destination=URI)
        client = api(sets=(2,))
        assert "\n  1:" not in client.send("GET", "/desired-state").json()["document"]
        for only in ([], ["sets"], ["sets=1,2"], ["sets=2", "proxies"]):
            body = {"document": document("sip:10.0.0.9", setid=2) + "proxies: []\n", "only": only}
            assert client.send("POST", "/plan", body).status_code == 403
            assert client.send("POST", "/apply", body).status_code == 403
        body = {"document": document("sip:10.0.0.9", setid=2), "only": ["sets=2"]}
        assert client.send("POST", "/apply", body).status_code == 202
        assert set(Destination.objects.values_list("setid", "destination")) == {(1, URI), (2, "sip:10.0.0.9")}

    def test_more_rows_than_a_call_may_change_are_refused(self, admin: ApiClient) -> None:
        rows = (f"sip:10.0.{number // 250}.{number % 250}" for number in range(2_001))
        answer = admin.send("POST", "/plan", {"document": document(*rows)})
        assert answer.json()["findings"][0]["code"] == "too_many"
