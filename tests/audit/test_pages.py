"""The pages that tell who changed what."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from efcp.accounts.roles import Role
from efcp.audit import selectors
from efcp.audit.models import AuditRecord
from efcp.audit.services import Actor, Subject, record
from tests.conftest import ClientAs

LIST = "/cp/audit/"
HOSTILE = "<script>alert(1)</script>\"'{{ x }}"


def store(
    kind: str = "dispatcher", subject_id: str = "7", label: str = "sip:10.0.0.1 in set 1", **more: Any
) -> AuditRecord:
    """Store one record."""
    actor = Actor(more.pop("actor", "ada"), more.pop("address", "192.0.2.1"))
    return record(actor, more.pop("action", "edit"), Subject(kind, subject_id, label), **more)


def shown(client: Client, **parameters: Any) -> list[int]:
    """The ids of the records on the list page, in its order."""
    page = client.get(LIST, parameters).content.decode()
    return [int(number) for number in re.findall(r'href="/cp/audit/(\d+)/"', page)]


class TestWhoMayReadTheAudit:
    @pytest.mark.parametrize("role", list(Role))
    def test_every_role_sees_the_audit(self, role: Role, client_as: ClientAs) -> None:
        client = client_as(role)
        stored = store()

        assert client.get(LIST).status_code == 200
        assert client.get(f"{LIST}{stored.pk}/").status_code == 200

    @pytest.mark.parametrize("path", [LIST, f"{LIST}1/"])
    def test_an_anonymous_visitor_is_led_to_the_sign_in_page(
        self, path: str, client: Client, db: None
    ) -> None:
        assert client.get(path).headers["Location"].startswith("/cp/accounts/sign-in/?next=")

    @pytest.mark.parametrize("path", [LIST, f"{LIST}1/"])
    def test_nothing_can_be_sent_to_it(self, path: str, client_as: ClientAs) -> None:
        assert client_as(Role.ADMINISTRATOR).post(path).status_code == 405

    def test_looking_changes_nothing(self, viewer: Client) -> None:
        stored = store()
        viewer.get(LIST)
        viewer.get(f"{LIST}{stored.pk}/")

        assert AuditRecord.objects.count() == 1


class TestList:
    def test_the_newest_stand_first(self, viewer: Client) -> None:
        older, newer = store(), store()

        assert shown(viewer) == [newer.pk, older.pk]

    def test_it_is_filtered_by_kind_subject_and_actor(self, viewer: Client) -> None:
        expected = store("proxy", "3", actor="bob")
        store("proxy", "4", actor="bob")
        store("dispatcher", "3", actor="bob")
        store("proxy", "3", actor="ada")

        assert shown(viewer, kind="proxy", id="3", actor="bob") == [expected.pk]

    @pytest.mark.parametrize("text", ["10.0.0.99", "BERLIN", "berlin", "198.51.100", "clone", "%_"])
    def test_a_text_is_looked_for_in_subject_reason_action_and_address_in_any_case(
        self, text: str, viewer: Client
    ) -> None:
        store(label="other", address="192.0.2.77")
        expected = store(
            label="sip:10.0.0.99", reason="Trunk to Berlin %_", action="clone", address="198.51.100.1"
        )

        assert shown(viewer, q=text) == [expected.pk]

    def test_it_is_paged_by_id_without_gap_or_overlap(self, viewer: Client) -> None:
        stored = [store().pk for _ in range(selectors.RECORDS_PER_PAGE + 3)]

        first = shown(viewer)
        second = shown(viewer, before=first[-1])

        assert first + second == stored[::-1]

    def test_the_older_page_keeps_the_filter(self, viewer: Client) -> None:
        for _ in range(selectors.RECORDS_PER_PAGE + 1):
            store("proxy", "a&b")

        page = viewer.get(LIST, {"kind": "proxy", "id": "a&b"}).content.decode()

        assert re.search(r'rel="next" href="\?kind=proxy&amp;id=a%26b&amp;before=\d+"', page)

    def test_a_text_is_looked_for_in_a_bounded_number_of_records_then_further_back(
        self, viewer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(selectors, "SEARCHED_AT_ONCE", 5)
        expected = store(label="needle")
        for _ in range(7):
            store()

        page = viewer.get(LIST, {"q": "needle"}).content.decode()
        further = re.search(r'href="\?q=needle&amp;before=(\d+)">Search older records', page)

        assert "Nothing found so far" in page
        assert further
        assert shown(viewer, q="needle", before=further[1]) == [expected.pk]

    @pytest.mark.parametrize(
        "expected", [{"actor": "bob", "kind": "proxy"}, {"id": "needle"}, {"actor": "bob", "id": "needle"}]
    )
    def test_so_is_what_no_index_finds(
        self, expected: dict[str, str], viewer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(selectors, "SEARCHED_AT_ONCE", 5)
        stored = store("proxy", "needle", actor="bob")
        for _ in range(7):
            store()

        page = viewer.get(LIST, expected).content.decode()
        further = re.search(r'before=(\d+)">Search older records', page)

        assert further
        assert shown(viewer, **expected, before=further[1]) == [stored.pk]

    def test_the_kinds_on_record_can_be_chosen(self, viewer: Client) -> None:
        for kind in ("proxy", "dispatcher", "proxy", "set", "<i>"):
            store(kind)

        page = viewer.get(LIST, {"kind": "set"}).content.decode()

        assert re.findall(r'<option value="([^"]*)"( selected)?>', page) == [
            ("", ""),
            ("&lt;i&gt;", ""),
            ("dispatcher", ""),
            ("proxy", ""),
            ("set", " selected"),
        ]

    @pytest.mark.parametrize("before", ["x", "-1", "1.5", "", "٣", "9" * 40])
    def test_a_page_that_is_no_id_is_the_first(self, before: str, viewer: Client) -> None:
        stored = store()

        assert shown(viewer, before=before) == [stored.pk]

    def test_what_an_edit_changed_is_named(self, viewer: Client) -> None:
        store(
            before={"weight": "1", "socket": None, "state": 0},
            after={"weight": "2", "socket": "", "state": 0},
        )

        assert "weight, socket" in viewer.get(LIST).content.decode()

    def test_an_empty_page_reports_it(self, viewer: Client) -> None:
        assert "Every change to a table" in viewer.get(LIST).content.decode()
        assert "Show all" in viewer.get(LIST, {"kind": "none"}).content.decode()

    def test_it_costs_the_same_queries_at_any_length(
        self, viewer: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        AuditRecord.objects.bulk_create(
            AuditRecord(
                at=datetime(2026, 3, 1, tzinfo=UTC), actor="ada", subject_kind="proxy", subject_id="1"
            )
            for _ in range(500)
        )

        with django_assert_max_num_queries(7):
            viewer.get(LIST, {"q": "a"})


class TestRecord:
    def page(self, client: Client, stored: AuditRecord) -> str:
        return client.get(f"{LIST}{stored.pk}/").content.decode()

    def test_before_and_after_stand_beside_each_other(self, viewer: Client) -> None:
        stored = store(before={"weight": "1", "state": 0}, after={"weight": "50", "state": 0})

        rows = re.findall(r'<tr( class="differs")?>\s*<td class="mono">(\w+)', self.page(viewer, stored))

        assert rows == [(' class="differs"', "weight"), ("", "state")]

    def test_null_is_distinguished_from_empty_and_from_no_value(self, viewer: Client) -> None:
        stored = store(before={"socket": None, "attrs": ""}, after={"socket": "", "attrs": "", "priority": 3})

        cells = re.findall(r'<td class="mono[^"]*">(.*?)</td>', self.page(viewer, stored))

        assert [cell for cell in cells if "hidden" not in cell and cell not in ("attrs",)] == [
            "NULL",
            "",
            "",
            "",
            '<span class="muted">—</span>',
            "3",
        ]

    def test_the_reason_the_actor_and_the_address_are_reported(self, viewer: Client) -> None:
        page = self.page(viewer, store(reason="Maintenance", actor="bob", address="2001:db8::1"))

        assert all(text in page for text in ("Maintenance", "bob", "2001:db8::1"))

    @pytest.mark.parametrize("number", [0, 999_999, 10**30])
    def test_an_id_that_does_not_exist_is_not_found(self, number: int, viewer: Client) -> None:
        assert viewer.get(f"{LIST}{number}/").status_code == 404

    def test_hostile_values_are_shown_as_text(self, viewer: Client) -> None:
        stored = store(
            HOSTILE[:32],
            HOSTILE,
            HOSTILE,
            actor=HOSTILE,
            action=HOSTILE[:32],
            reason=HOSTILE,
            before={HOSTILE: HOSTILE},
            after={HOSTILE: [HOSTILE]},
        )

        for page in (self.page(viewer, stored), viewer.get(LIST, {"q": HOSTILE}).content.decode()):
            assert "<script>alert" not in page
            assert "&lt;script&gt;" in page


class TestRestore:
    @pytest.mark.parametrize(
        ("role", "offered"), [(Role.VIEWER, False), (Role.OPERATOR, False), (Role.ADMINISTRATOR, True)]
    )
    def test_administrators_are_offered_the_former_values_of_a_destination(
        self, role: Role, offered: bool, client_as: ClientAs
    ) -> None:
        client = client_as(role)
        stored = store(before={"weight": "1"}, after={"weight": "2"})

        page = client.get(f"{LIST}{stored.pk}/").content.decode()

        assert (f'href="/cp/system/dispatcher/restore/{stored.pk}/"' in page) is offered

    @pytest.mark.parametrize(
        "values",
        [{"kind": "proxy", "before": {"name": "a"}}, {"kind": "dispatcher", "after": {"weight": "1"}}],
    )
    def test_what_has_no_former_values_of_a_destination_is_not(
        self, values: dict[str, Any], client_as: ClientAs
    ) -> None:
        client = client_as(Role.ADMINISTRATOR)

        page = client.get(f"{LIST}{store(**values).pk}/").content.decode()

        assert "Restore" not in page


def test_records_are_filtered_by_day_and_by_set(client_as: ClientAs) -> None:
    now = timezone.now()
    for label, days, columns in (
        ("of set 3", 0, {"setid": 3}),
        ("of set 30", 0, {"setid": 30}),
        ("of dialplan 3", 2, {"dpid": 3}),
        ("of a user", 2, {"role": "viewer"}),
    ):
        each = record(Actor("ada"), "edit", Subject("x", "1", label), after=columns)
        AuditRecord.objects.filter(pk=each.pk).update(at=now - timedelta(days=days))
    client = client_as(Role.VIEWER)

    def found(query: str) -> set[str]:
        page = client.get(f"/cp/audit/?{query}").content.decode()
        return set(re.findall(r">(of [a-z0-9 ]+)</a>", page))

    day = f"{now - timedelta(days=1):%Y-%m-%d}"
    assert found("set=3") == {"of set 3", "of dialplan 3"}
    assert found(f"since={day}") == {"of set 3", "of set 30"}
    assert found(f"until={day}") == {"of dialplan 3", "of a user"}
    assert found(f"set=3&until={day}") == {"of dialplan 3"}
    assert found("since=never&set=x") == {"of set 3", "of set 30", "of dialplan 3", "of a user"}
