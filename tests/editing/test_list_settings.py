"""What each user keeps of a list: hidden columns, and filters by name."""

import pytest
from django.test import Client

from efcp.accounts.list_settings import MAX_FILTERS, list_settings, plain_query
from efcp.accounts.models import User
from tests.factories import DestinationFactory

SETTINGS = {name: f"/cp/system/{name}/settings/" for name in ("dispatcher", "dialplan")}

pytestmark = pytest.mark.django_db


def page(client: Client, query: str = "?", module: str = "dispatcher") -> str:
    return client.get(f"/cp/system/{module}/{query}").content.decode()


def save(client: Client, name: str, query: str) -> str:
    """Save a filter; return the page that follows."""
    answer = client.post(SETTINGS["dispatcher"], {"name": name, "query": query}, follow=True)
    return answer.content.decode()


def test_a_saved_filter_is_offered_to_its_user_and_marked_while_it_is_shown(
    viewer: Client, operator: Client
) -> None:
    shown = save(viewer, " Berlin  trunks ", "?q=berlin&sort=weight&page=3")
    assert "Filter “Berlin trunks” saved." in shown
    link = '<a class="button button-small" href="?q=berlin&amp;sort=weight"\n    {}>Berlin trunks</a>'
    assert link.format('aria-current="true"') in shown
    assert link.format("") in page(viewer)
    assert "Berlin trunks" not in page(operator)
    assert "Berlin trunks" not in page(viewer, module="dialplan")


@pytest.mark.parametrize(
    ("name", "query", "reason"),
    [
        ("", "?q=a", "A filter needs a name"),
        ("n" * 41, "?q=a", "A filter needs a name"),
        ("all", "?page=2", "Set a filter first"),
        ("long", "?q=" + "a" * 500, "too long"),
        ("many", "?" + "&".join(f"a{number}=1" for number in range(21)), "Set a filter first"),
    ],
)
def test_what_can_not_be_saved_is_refused_with_the_reason(
    viewer: Client, name: str, query: str, reason: str
) -> None:
    assert reason in save(viewer, name, query)
    assert list_settings(User.objects.get(username="viewer"), "dispatcher").filters == ()


def test_the_same_name_replaces_and_a_full_list_refuses(viewer: Client) -> None:
    for number in range(MAX_FILTERS):
        save(viewer, f"filter {number:02}", f"?setid={number}")
    assert f"{MAX_FILTERS} filters are saved" in save(viewer, "one more", "?setid=99")
    save(viewer, "filter 00", "?setid=50")
    viewer.post(SETTINGS["dispatcher"], {"delete": "filter 01", "query": "?"})
    filters = list_settings(User.objects.get(username="viewer"), "dispatcher").filters
    assert [(each.name, each.query) for each in filters[:2]] == [
        ("filter 00", "?setid=50"),
        ("filter 02", "?setid=2"),
    ]
    assert len(filters) == MAX_FILTERS - 1


def test_columns_are_hidden_for_their_user_alone_and_come_back(viewer: Client, operator: Client) -> None:
    DestinationFactory.create()
    viewer.post(SETTINGS["dispatcher"], {"column": ["share", "live", "nonsense"], "query": "?"})
    assert ' hides-details hides-priority hides-initial">' in page(viewer)
    assert "hides-" not in page(operator)
    viewer.post(
        SETTINGS["dispatcher"], {"column": ["details", "share", "priority", "initial", "live"], "query": "?"}
    )
    assert "hides-" not in page(viewer)


def test_both_lists_lead_back_to_what_they_showed(viewer: Client) -> None:
    for module, url in SETTINGS.items():
        answer = viewer.post(url, {"column": [], "query": "?q=49&page=2"})
        assert answer.headers["Location"] == f"/cp/system/{module}/?q=49"


def test_a_query_string_keeps_all_but_the_page() -> None:
    assert plain_query("?page=2&setid=1&q=a+b%26c&page=3") == "?setid=1&q=a+b%26c"
    assert plain_query("//elsewhere.example/") == "?"
