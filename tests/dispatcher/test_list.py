"""The list page: what it shows, filters, sorts, and what it costs."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dispatcher import services
from dispatcher.list_page import MAX_PROXY_COLUMNS
from dispatcher.models import Destination
from efcp.accounts.models import User
from efcp.accounts.roles import Role
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, TryOutcome
from tests.conftest import AddRow, ClientAs
from tests.dispatcher.conftest import SOMEBODY, hold, make_proxy
from tests.factories import ProxyFactory

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}{% x %}"
MOST_QUERIES = 10


def shown(client: Client, query: str = "") -> str:
    return client.get(reverse("dispatcher:list") + query).content.decode()


def test_an_empty_table_shows_what_to_do_next(client_as: ClientAs) -> None:
    assert "Add the first destination" in shown(client_as(Role.ADMINISTRATOR))


def test_destinations_stand_by_set_under_the_name_that_was_given(viewer: Client, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1", setid=1)
    add_row("sip:10.0.0.2", setid=2)
    services.name_set(1, "Media VBB", SOMEBODY)
    page = shown(viewer)
    assert page.index("1 · Media VBB") < page.index("sip:10.0.0.1") < page.index("sip:10.0.0.2")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?setid=2", {"sip:10.0.0.2"}),
        ("?q=rack", {"sip:10.0.0.1"}),
        ("?q=10.0.0.2", {"sip:10.0.0.2"}),
        ("?q=pstn", {"sip:10.0.0.2"}),
        ("?q=RACK a", {"sip:10.0.0.1"}),
        ("?state=1", {"sip:10.0.0.2"}),
        ("?q=nothing+like+it", set()),
        ("?setid=abc&state=9&page=-1&size=x&sort=drop&live=dead", {"sip:10.0.0.1", "sip:10.0.0.2"}),
    ],
)
def test_filters_narrow_the_list(viewer: Client, add_row: AddRow, query: str, found: set[str]) -> None:
    add_row("sip:10.0.0.1", setid=1, description="Rack A")
    add_row("sip:10.0.0.2", setid=2, attrs="pstn=yes", state=1)
    page = shown(viewer, query)
    assert {uri for uri in ("sip:10.0.0.1", "sip:10.0.0.2") if f">{uri}<" in page} == found


@pytest.mark.parametrize(
    ("live", "found"),
    [
        ("active", {"sip:10.0.0.1"}),
        ("probing", {"sip:10.0.0.2"}),
        ("absent", {"sip:10.0.0.3"}),
        ("inactive", set()),
    ],
)
def test_the_live_state_filters(
    viewer: Client, add_row: AddRow, proxy: Proxy, live: str, found: set[str]
) -> None:
    for number in (1, 2, 3):
        add_row(f"sip:10.0.0.{number}")
    hold(proxy, "sip:10.0.0.1")
    hold(proxy, "sip:10.0.0.2", state="probing")
    page = shown(viewer, f"?live={live}")
    assert {f"sip:10.0.0.{number}" for number in (1, 2, 3) if f">sip:10.0.0.{number}<" in page} == found


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("description", "bac"),
        ("-description", "cab"),
        ("priority", "cba"),
        ("-weight", "acb"),
        ("setid", "abc"),
    ],
)
def test_the_list_sorts_by_a_column_either_way(
    viewer: Client, add_row: AddRow, sort: str, order: str
) -> None:
    add_row("sip:a", description="m", priority=3, weight="9")
    add_row("sip:b", description="a", priority=2, weight="1")
    add_row("sip:c", description="z", priority=1, weight="5")
    page = shown(viewer, f"?sort={sort}")
    assert "".join(sorted("abc", key=lambda name: page.index(f">sip:{name}<"))) == order


@pytest.mark.parametrize("character", ["é", "٣", "💥"])
def test_any_character_can_be_searched_for(viewer: Client, add_row: AddRow, character: str) -> None:
    add_row("sip:10.0.0.1", description="rack é")
    page = viewer.get(reverse("dispatcher:list"), {"q": character}).content.decode()
    assert ("sip:10.0.0.1" in page) is (character == "é")


def test_pages_keep_the_filters_in_their_links(viewer: Client, add_row: AddRow) -> None:
    for number in range(1, 6):
        add_row(f"sip:10.0.0.{number}", setid=4)
    page = shown(viewer, "?setid=4&size=2&page=2")
    assert "3–4 of 5" in page
    assert "setid=4&amp;size=2" in page
    assert "setid=4&amp;page=3&amp;size=2" in page


@pytest.mark.parametrize("beyond", [4, 1_000_000])
def test_a_page_beyond_the_last_shows_the_last(viewer: Client, add_row: AddRow, beyond: int) -> None:
    for number in range(1, 4):
        add_row(f"sip:10.0.0.{number}")
    assert ">sip:10.0.0.3<" in shown(viewer, f"?size=1&page={beyond}")


def test_shares_of_calls_follow_the_weights(viewer: Client, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1", weight="1")
    add_row("sip:10.0.0.2", weight="3")
    page = shown(viewer)
    assert "25 %" in page
    assert "75 %" in page


def test_the_share_now_and_after_a_reload_differ_where_a_row_is_not_loaded(
    viewer: Client, add_row: AddRow, proxy: Proxy
) -> None:
    add_row("sip:10.0.0.1")
    add_row("sip:10.0.0.2")
    hold(proxy, "sip:10.0.0.1")
    page = shown(viewer)
    assert "100 → 50 %" in page
    assert "0 → 50 %" in page


def test_weights_beyond_16_bits_are_reported(viewer: Client, add_row: AddRow) -> None:
    for number in (1, 2, 3):
        add_row(f"sip:10.0.0.{number}", weight="40000")
    assert "weights add up to 120,000, above 65,535" in shown(viewer)


def test_a_row_shows_that_it_is_not_loaded(viewer: Client, add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.1")
    assert "not loaded" in shown(viewer)


def test_a_row_shows_which_column_changed_since_loading(
    viewer: Client, add_row: AddRow, proxy: Proxy
) -> None:
    add_row("sip:10.0.0.1", weight="2")
    hold(proxy, "sip:10.0.0.1", weight=1)
    page = shown(viewer)
    assert "weight changed, not loaded" in page
    assert "weight 1 → 2" in page


def test_a_loaded_row_shows_nothing_of_the_kind(viewer: Client, add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.1", socket="127.0.0.1", attrs="x", description="y")
    hold(proxy, "sip:10.0.0.1", socket="udp:127.0.0.1:5060", attrs="x", description="y")
    table = shown(viewer).partition('id="destinations"')[2].partition("</table>")[0]
    assert "sip:10.0.0.1" in table
    assert "not loaded" not in table
    assert "differs" not in table


@pytest.mark.parametrize("rest", [["sip:10.0.0.2"], []])
def test_what_only_the_memory_holds_is_shown(
    viewer: Client, add_row: AddRow, proxy: Proxy, rest: list[str]
) -> None:
    for uri in rest:
        add_row(uri)
    hold(proxy, "sip:10.0.0.1")
    assert "still in memory" in shown(viewer)


def test_a_silent_proxy_shows_old_states_with_their_age(viewer: Client, add_row: AddRow) -> None:
    silent = make_proxy("edge-9", answered_s_ago=300)
    add_row("sip:10.0.0.1")
    hold(silent, "sip:10.0.0.1", state="probing")
    page = shown(viewer)
    assert "edge-9</b> does not answer" in page
    assert "data-stale" in page


def test_a_silent_proxy_s_state_is_last_known_and_counts_nowhere(viewer: Client, add_row: AddRow) -> None:
    silent = make_proxy("edge-9")
    ProxyContact.objects.update(failing_since=timezone.now(), outcome=TryOutcome.TOO_SLOW)
    add_row("sip:10.0.0.1")
    hold(silent, "sip:10.0.0.1")
    page = shown(viewer)
    assert "edge-9</b> does not respond in time" in page
    assert "Last known: active" in page
    assert "Last known: 1 of 1 active on edge-9" in page
    assert ">sip:10.0.0.1<" not in shown(viewer, "?live=active")


def test_a_proxy_that_never_answered_is_unknown_everywhere_on_the_list(
    viewer: Client, add_row: AddRow
) -> None:
    make_proxy("edge-1")
    ProxyFactory.create(name="edge-2")
    add_row("sip:10.0.0.1")
    hold(Proxy.objects.get(name="edge-1"), "sip:10.0.0.1")
    hold(Proxy.objects.get(name="edge-1"), "sip:10.0.0.9")  # gone from the table
    page = shown(viewer)
    assert "Unknown on edge-2" in page
    assert page.count("chip-unknown") == 3  # both lines, and the set's header
    assert "Not in memory" not in page
    assert ">sip:10.0.0.1<" not in shown(viewer, "?live=absent")


@pytest.mark.parametrize(
    ("query", "is_shown"),
    [("", True), ("?setid=1", True), ("?q=10.0.0", False), ("?state=0", False), ("?live=active", False)],
)
def test_rows_gone_from_the_table_are_left_out_of_filtered_lists(
    viewer: Client, add_row: AddRow, proxy: Proxy, query: str, is_shown: bool
) -> None:
    add_row("sip:10.0.0.1")
    hold(proxy, "sip:10.0.0.1")
    hold(proxy, "sip:10.0.0.9")
    page = shown(viewer, query)
    assert ">sip:10.0.0.1<" in page
    assert ("sip:10.0.0.9" in page) is is_shown


@pytest.mark.parametrize(
    ("probing", "look", "words"),
    [
        ("all", "checked", "probed"),
        ("none", "unchecked", "not probed"),
        ("", "maybe-checked", "probing unknown"),
    ],
)
def test_active_shows_whether_it_is_checked(
    viewer: Client, add_row: AddRow, proxy: Proxy, probing: str, look: str, words: str
) -> None:
    Proxy.objects.update(probing=probing)
    add_row("sip:10.0.0.1")
    hold(proxy, "sip:10.0.0.1")
    page = shown(viewer)
    assert f'<span class="chip chip-active chip-{look}">Active' in page
    assert f">{words}<" in page


def test_the_header_names_the_proxies_that_it_counts(viewer: Client, add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.1")
    assert "Not loaded on edge-1" in shown(viewer)
    hold(proxy, "sip:10.0.0.1")
    hold(make_proxy("edge-2"), "sip:10.0.0.1", state="inactive")
    page = shown(viewer)
    assert page.index("No active destination on edge-2") < page.index("1 of 1 active on edge-1")


def test_the_same_uri_in_two_sets_has_a_state_in_each(viewer: Client, add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.1", setid=1)
    add_row("sip:10.0.0.1", setid=2)
    hold(proxy, "sip:10.0.0.1", setid=1, state="inactive")
    hold(proxy, "sip:10.0.0.1", setid=2, state="probing")
    page = shown(viewer)
    assert page.index("chip-inactive") < page.index("2</h2>") < page.index("chip-probing")


def test_duplicates_of_other_hands_are_reported(viewer: Client, add_row: AddRow, proxy: Proxy) -> None:
    row_id = add_row("sip:10.0.0.1")
    other = add_row("sip:10.0.0.2")
    Destination.objects.filter(pk=other).update(destination="SIP:10.0.0.1")
    hold(proxy, "sip:10.0.0.1", occurrence=0, state="inactive")
    hold(proxy, "SIP:10.0.0.1", occurrence=1, state="probing")
    page = shown(viewer)
    assert page.count(">duplicate<") == 2
    assert page.index("chip-inactive") < page.index("chip-probing")
    assert row_id < other


@pytest.mark.parametrize("column", ["destination", "description", "attrs", "socket", "weight"])
def test_text_of_a_row_is_shown_inert(
    client_as: ClientAs, add_row: AddRow, proxy: Proxy, column: str
) -> None:
    row_id = add_row("sip:10.0.0.1")
    Destination.objects.filter(pk=row_id).update(**{column: HOSTILE})
    hold(proxy, HOSTILE, setid=1, description=HOSTILE)
    services.name_set(1, HOSTILE, SOMEBODY)
    administrator = client_as(Role.ADMINISTRATOR)
    for page in (
        shown(administrator),
        shown(administrator, "?sort=weight&q=%3Cscript%3Ealert(1)%3C/script%3E"),
        administrator.get(reverse("dispatcher:edit", args=[row_id])).content.decode(),
        administrator.get(reverse("dispatcher:delete", args=[row_id])).content.decode(),
    ):
        assert "<script>alert" not in page
        assert "49" not in page.partition("alert(1)")[2][:60]


def test_the_password_of_an_fs_weight_is_masked(client_as: ClientAs, add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1", weight="fs://u:topsecret@10.0.0.9:8021")
    administrator = client_as(Role.ADMINISTRATOR)
    assert "topsecret" not in shown(administrator)
    assert "topsecret" not in administrator.get(reverse("dispatcher:delete", args=[row_id])).content.decode()
    edit = administrator.get(reverse("dispatcher:edit", args=[row_id])).content.decode()
    assert edit.count("topsecret") == 1


def fill(rows: int, proxies: list[Proxy]) -> None:
    many = [
        Destination(setid=number % 50, destination=f"sip:10.{number // 250}.0.{number % 250}", attrs="")
        for number in range(rows)
    ]
    Destination.objects.bulk_create(many)
    for proxy in proxies:
        for row in many[:20]:
            hold(proxy, row.destination, setid=row.setid)


@pytest.mark.parametrize("query", ["", "?q=10.0&live=active", "?sort=-weight&page=3", "?setid=4"])
def test_a_page_costs_the_same_few_queries_at_any_size(viewer: Client, proxy: Proxy, query: str) -> None:
    other = make_proxy("edge-2")
    costs = []
    for rows in (120, 600):
        Destination.objects.all().delete()
        for each in (proxy, other):
            each.destinations.all().delete()
        fill(rows, [proxy, other])
        with CaptureQueriesContext(connection) as queries:
            assert viewer.get(reverse("dispatcher:list") + query).status_code == 200
        costs.append(len(queries))
    assert costs[0] == costs[1]
    assert costs[0] <= MOST_QUERIES


def test_a_page_beyond_the_last_costs_no_more_than_permitted_and_shows_the_last(
    viewer: Client, proxy: Proxy
) -> None:
    fill(60, [proxy])
    with CaptureQueriesContext(connection) as queries:
        page = viewer.get(reverse("dispatcher:list"), {"page": "9"}).context["page"]
    assert len(queries) <= MOST_QUERIES
    assert (page.pages, len(page.lines)) == (2, 30)


def test_the_polled_fragment_is_the_page_s_own_part(viewer: Client, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    fragment = viewer.get(
        reverse("dispatcher:list"), headers={"HX-Request": "true", "HX-Target": "destinations"}
    ).content.decode()
    assert fragment.lstrip().startswith('<div id="destinations"')
    assert "<html" not in fragment


def test_a_change_in_memory_shows_on_the_next_page(viewer: Client, add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.1")
    known = hold(proxy, "sip:10.0.0.1")
    assert "chip-active" in shown(viewer)
    known.state = "probing"
    known.save()
    assert "chip-probing" in shown(viewer)


def test_a_viewer_gets_no_links_to_change_a_row_that_an_administrator_saw(
    client_as: ClientAs, add_row: AddRow
) -> None:
    link = reverse("dispatcher:edit", args=[add_row("sip:10.0.0.1")])
    assert link in shown(client_as(Role.ADMINISTRATOR))
    assert link not in shown(client_as(Role.VIEWER))


def test_an_operator_s_menu_of_a_row_leads_to_the_probe_and_not_to_the_edit(
    client_as: ClientAs, add_row: AddRow
) -> None:
    row_id = add_row("sip:10.0.0.1")
    probe, edit = reverse("operations:probe", args=[row_id]), reverse("dispatcher:edit", args=[row_id])
    page = shown(client_as(Role.OPERATOR))
    assert (probe in page, edit in page) == (True, False)
    assert probe not in shown(client_as(Role.VIEWER))


def test_more_proxies_than_columns_are_counted_marked_and_named(viewer: Client, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    proxies = [make_proxy(f"edge-{number:02}") for number in range(1, MAX_PROXY_COLUMNS + 3)]
    for proxy in proxies[:-1]:
        hold(proxy, "sip:10.0.0.1")
        hold(proxy, "sip:10.0.0.9")  # gone from the table
    page = shown(viewer, "?columns=1")
    assert page.count('<th class="live"') == MAX_PROXY_COLUMNS
    assert page.count('<td class="live"') == 2 * MAX_PROXY_COLUMNS
    assert f"2 of {len(proxies)} proxies have no column here" in page
    assert "<b>edge-13</b> answers" in page
    assert "2 of 2 active on edge-01, edge-02, edge-03 and 10 more" in page
    assert "Not loaded on edge-14" in page
    assert ">not loaded<" in page
    assert ">sip:10.0.0.1<" in shown(viewer, "?live=absent")
    ProxyContact.objects.filter(proxy=proxies[-1]).update(failing_since=timezone.now())
    assert "<b>edge-14</b> does not answer" in shown(viewer)


def test_the_states_on_many_proxies_fold_into_one_cell_that_names_them(
    viewer: Client, add_row: AddRow
) -> None:
    add_row("sip:10.0.0.1")
    proxies = [make_proxy(f"edge-{number:02}") for number in range(1, 21)]
    for proxy in proxies:
        hold(proxy, "sip:10.0.0.1", state="probing" if proxy == proxies[3] else "active")
    page = " ".join(shown(viewer).split())
    assert page.count('<td class="live folded-live"') == 1
    cell = page.partition('<details class="folded">')[2].partition("</details>")[0]
    assert cell.index("Probing <small>on 1") < cell.index("Active <small>on 19")
    assert "<bdi>edge-04</bdi>" in cell
    assert "edge-01, edge-02, edge-03, edge-05" in cell
    assert "and 7 more" in cell
    assert "?columns=1" in page


def test_silent_proxies_are_one_notice_that_opens(viewer: Client, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    for number in range(8):
        proxy = make_proxy(f"edge-{number}")
        hold(proxy, "sip:10.0.0.1")
        if number:
            ProxyContact.objects.filter(proxy=proxy).update(failing_since=timezone.now())
    page = shown(viewer)
    assert "<b>7 of 8 proxies are not responding.</b>" in page
    assert page.count('class="notice notice-warning"') == 1


def test_the_live_filter_finds_what_a_proxy_without_a_column_holds(viewer: Client, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    proxies = [make_proxy(f"edge-{number:02}") for number in range(1, MAX_PROXY_COLUMNS + 2)]
    for proxy in proxies:
        hold(proxy, "sip:10.0.0.1", state="probing" if proxy == proxies[-1] else "active")
    assert ">sip:10.0.0.1<" in shown(viewer, "?live=probing")
    assert ">sip:10.0.0.1<" not in shown(viewer, "?live=absent")


def test_each_reader_of_a_row_sees_its_times_on_the_own_clock(
    viewer: Client, client_as: ClientAs, add_row: AddRow, proxy: Proxy
) -> None:
    add_row("sip:10.0.0.1")
    hold(proxy, "sip:10.0.0.1")
    KnownDestination.objects.update(since=datetime(2026, 1, 1, 12, tzinfo=UTC))
    abroad = client_as(Role.ADMINISTRATOR)
    User.objects.filter(role=Role.ADMINISTRATOR).update(time_zone="Asia/Tokyo", time_zone_is_chosen=True)
    User.objects.filter(role=Role.VIEWER).update(time_zone="UTC", time_zone_is_chosen=True)
    assert [" 12:00:00" in shown(viewer), " 21:00:00" in shown(abroad)] == [True, True]
    User.objects.filter(role=Role.ADMINISTRATOR).update(time_zone="America/New_York")
    assert " 07:00:00" in shown(abroad)
