"""Destinations and rules over the API: the same writes as by the pages, versioned and repeatable."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.models import Destination
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.api.models import StoredAnswer
from efcp.audit.models import AuditRecord
from tests.api.conftest import ApiClient
from tests.factories import DestinationFactory, RuleFactory

GATEWAY = {"setid": 1, "destination": "sip:10.0.0.1:5060"}


def codes(answer: Any) -> list[str]:
    return [each["code"] for each in answer.json()["findings"]]


class TestApiAdd:
    def test_it_writes_what_the_page_would_with_the_tokens_name_in_the_audit(
        self, api: Callable[..., ApiClient], make_user: Callable[..., User]
    ) -> None:
        client = api(Role.ADMINISTRATOR, make_user(Role.ADMINISTRATOR, "ada"))
        answer = client.send("POST", "/destinations", GATEWAY | {"weight": "5", "reason": "new"})
        assert answer.status_code == 201
        row = Destination.objects.get()
        assert (row.destination, row.weight, row.attrs, row.socket) == ("sip:10.0.0.1:5060", "5", "", None)
        assert answer.headers["Location"] == f"/cp/api/v1/destinations/{row.pk}"
        record = AuditRecord.objects.get(subject_kind="dispatcher")
        assert (record.actor, record.token, record.reason) == ("ada", "ci", "new")

    def test_its_findings_are_those_of_the_form(self, admin: ApiClient) -> None:
        admin.send("POST", "/destinations", GATEWAY)
        assert codes(admin.send("POST", "/destinations", GATEWAY)) == ["duplicate"]
        answer = admin.send("POST", "/destinations", GATEWAY | {"destination": "x\0y"})
        assert [(each["field"], each["code"]) for each in answer.json()["findings"]][:1] == [
            ("destination", "null_characters_not_allowed")
        ]

    def test_a_warning_stops_only_a_strict_write(self, admin: ApiClient) -> None:
        strict = admin.send("POST", "/destinations?strict=true", GATEWAY)
        assert strict.status_code == 422
        assert not Destination.objects.exists()
        answer = admin.send("POST", "/destinations", GATEWAY)
        assert [each["field"] for each in answer.json()["warnings"]] == ["setid"]

    def test_a_dry_run_reports_the_effect_and_writes_nothing(self, admin: ApiClient) -> None:
        DestinationFactory.create(setid=1, destination="sip:10.0.0.9")
        before = (Destination.objects.count(), AuditRecord.objects.count())
        answer = admin.send("POST", "/destinations?dry_run=true", GATEWAY, Idempotency_Key="a").json()
        shares = {each["uri"]: each["after"] for each in answer["effect"]["sets"][0]["shares"]}
        assert shares == {"sip:10.0.0.9": 50.0, "sip:10.0.0.1:5060": 50.0}
        assert (Destination.objects.count(), AuditRecord.objects.count()) == before
        assert not StoredAnswer.objects.exists()

    def test_a_repeated_key_gets_the_first_answer(self, admin: ApiClient) -> None:
        first = admin.send("POST", "/destinations", GATEWAY, Idempotency_Key="a")
        second = admin.send("POST", "/destinations", GATEWAY, Idempotency_Key="a")
        assert second.status_code == 201
        assert second.content == first.content
        assert second.headers["ETag"] == first.headers["ETag"]
        assert second.headers["Idempotency-Replayed"] == "true"
        assert Destination.objects.count() == 1

    def test_a_key_is_good_for_one_request_of_one_token(
        self, api: Callable[..., ApiClient], admin: ApiClient
    ) -> None:
        admin.send("POST", "/destinations", GATEWAY, Idempotency_Key="a")
        assert admin.send("POST", "/destinations", {}, Idempotency_Key="a").status_code == 422
        other = GATEWAY | {"setid": 2}
        assert admin.send("POST", "/destinations", other, Idempotency_Key="a").status_code == 409
        assert api().send("POST", "/destinations", other, Idempotency_Key="a").status_code == 201

    @pytest.mark.parametrize("key", ["a b", "é", "x" * 256])
    def test_a_key_that_is_none_is_refused(self, admin: ApiClient, key: str) -> None:
        answer = admin.send("POST", "/destinations", GATEWAY, Idempotency_Key=key)
        assert (answer.status_code, answer.json()["code"]) == (400, "key")
        assert not Destination.objects.exists()

    def test_a_refused_write_may_be_sent_again_with_its_key(self, admin: ApiClient) -> None:
        row = DestinationFactory.create(**GATEWAY)
        assert admin.send("POST", "/destinations", GATEWAY, Idempotency_Key="a").status_code == 422
        row.delete()
        assert admin.send("POST", "/destinations", GATEWAY, Idempotency_Key="a").status_code == 201


class TestApiChange:
    def test_it_needs_the_version_that_was_listed(self, admin: ApiClient) -> None:
        row = DestinationFactory.create(**GATEWAY)
        one = f"/destinations/{row.pk}"
        listed = admin.send("GET", one).headers["ETag"]
        assert admin.send("PATCH", one, {"weight": "2"}).status_code == 428
        assert admin.send("DELETE", one).status_code == 428
        theirs = admin.send("PATCH", one, {"weight": "3"}, If_Match=listed)
        assert theirs.headers["ETag"] == admin.send("GET", one).headers["ETag"] != listed
        answer = admin.send("PATCH", one, {"weight": "2"}, If_Match=listed)
        assert answer.status_code == 412
        assert (answer.json()["current"]["weight"], answer.json()["requested"]["weight"]) == ("3", "2")
        assert admin.send("DELETE", one, If_Match=listed).status_code == 412
        assert admin.send("DELETE", one, If_Match=theirs.headers["ETag"]).json()["data"] is None
        assert not Destination.objects.exists()

    def test_only_what_is_sent_is_written(self, admin: ApiClient) -> None:
        row = RuleFactory.create(dpid=1, match_exp="^0", repl_exp="x", attrs="a")
        one = f"/rules/{row.pk}"
        etag = admin.send("GET", one).headers["ETag"]
        answer = admin.send("PATCH", one, {"match_flags": True}, If_Match=etag).json()
        row.refresh_from_db()
        assert (row.match_flags, row.repl_exp, row.attrs, row.match_exp) == (1, "x", "a", "^0")
        assert answer["data"]["match_flags"] is True

    def test_a_secret_is_masked_and_comes_back_unchanged(self, admin: ApiClient) -> None:
        row = DestinationFactory.create(**GATEWAY, weight="fs://user:secret@10.0.0.1:8021")
        one = f"/destinations/{row.pk}"
        shown = admin.send("GET", one).json()
        assert "secret" not in shown["weight"]
        answer = admin.send("PATCH", one, {"weight": shown["weight"], "attrs": "b"}, If_Match=shown["etag"])
        assert answer.status_code == 200
        row.refresh_from_db()
        assert (row.weight, row.attrs) == ("fs://user:secret@10.0.0.1:8021", "b")
        added = admin.send("POST", "/destinations", {"setid": 2, **shown_only(shown)})
        assert codes(added) == ["masked"]

    def test_a_rules_write_reports_its_effect_on_the_test_cases(self, admin: ApiClient) -> None:
        row = RuleFactory.create(dpid=1, match_exp="^0", repl_exp="x")
        answer = admin.send("DELETE", f"/rules/{row.pk}?dry_run=true", If_Match="*").json()
        assert answer["effect"] == {"failing": 0, "broken": [], "fixed": []}
        row.refresh_from_db()


def shown_only(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: shown[name] for name in ("destination", "weight")}


class TestApiList:
    def test_pages_hold_every_row_once(self, admin: ApiClient) -> None:
        rows = [DestinationFactory.create(setid=1, destination=f"sip:10.0.0.{n}") for n in range(7)]
        found: list[dict[str, Any]] = []
        cursor, pages = "", 0
        while pages == 0 or cursor:
            page = admin.send("GET", f"/destinations?limit=3&cursor={cursor}&fields=setid").json()
            found += page["items"]
            cursor, pages = page["next"], pages + 1
        assert [each["id"] for each in found] == [row.pk for row in rows]
        assert all(each.keys() == {"id", "etag", "setid"} for each in found)
        assert pages == 3

    def test_filters_are_those_of_the_page(self, admin: ApiClient) -> None:
        for setid in (1, 2):
            DestinationFactory.create(setid=setid, destination="sip:10.0.0.1", description=f"gw {setid}")
        for query in ("setid=2", "q=gw%202"):
            (only,) = admin.send("GET", f"/destinations?{query}").json()["items"]
            assert only["setid"] == 2
        assert admin.send("GET", "/destinations?live=active").json()["items"] == []

    @pytest.mark.parametrize(
        "query",
        ["cursor=x", "limit=0", "limit=1001", "setid=-1", "live=x", "no=1", "fields=no", "limit=1&limit=2"],
    )
    def test_what_is_wrong_in_a_query_is_refused(self, admin: ApiClient, query: str) -> None:
        DestinationFactory.create(**GATEWAY)
        assert admin.send("GET", f"/destinations?{query}").status_code == 422

    def test_a_token_for_some_sets_sees_and_changes_no_other(self, api: Callable[..., ApiClient]) -> None:
        client = api(sets=(1,))
        mine = DestinationFactory.create(**GATEWAY)
        other = DestinationFactory.create(setid=2, destination="sip:10.0.0.2")
        assert [each["id"] for each in client.send("GET", "/destinations").json()["items"]] == [mine.pk]
        assert client.send("GET", f"/destinations/{other.pk}").status_code == 403
        assert client.send("POST", "/destinations", GATEWAY | {"setid": 2}).status_code == 403
        moved = client.send("PATCH", f"/destinations/{mine.pk}", {"setid": 3}, If_Match="*")
        assert moved.status_code == 403

    def test_a_version_that_the_client_has_is_not_sent_again(self, admin: ApiClient) -> None:
        row = DestinationFactory.create(**GATEWAY)
        etag = admin.send("GET", f"/destinations/{row.pk}").headers["ETag"]
        assert admin.send("GET", f"/destinations/{row.pk}", If_None_Match=etag).status_code == 304
