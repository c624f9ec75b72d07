"""Many at once: found by set, host or resolved address, in the table and in memory; asked once; set once."""

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from dispatcher.models import Destination
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.operations.states import selectors
from efcp.operations.states.models import StateRun
from efcp.operations.states.search import HostQuery, Suggestion, destinations_at, suggestions
from efcp.proxies.models import KnownDestination, KnownState, Proxy
from efcp.proxies.selectors import watched_proxies
from tests.conftest import AddRow, ClientAs
from tests.operations.fake_proxy import FakeProxy, Play
from tests.operations.forms import sent
from tests.proxies.mi_server import listed

URI = "sip:10.0.0.1:5060"
NAMED = "sip:gw.example:5060"
CHOOSE, SET = "operations:choose", "operations:set-state"


def at(setid: str = "", host: str = "", address: str = "") -> list[tuple[int, str]]:
    """Set and URI of what is found there."""
    rows = destinations_at(HostQuery.parse(setid, host, address)).rows
    return [(row.setid, row.destination) for row in rows]


def named_in_memory(edge: FakeProxy) -> Proxy:
    """A proxy that holds NAMED in sets 1 and 2, resolved to two addresses, and URI in set 3."""
    resolved = ["10.0.0.1:5060", "10.0.0.9:5060"]
    edge.sets = {
        1: [listed(NAMED, resolved_addresses=resolved)],
        2: [listed(NAMED, resolved_addresses=resolved), listed("sip:10.0.0.10:5060")],
        3: [listed(URI, resolved_addresses=["10.0.0.1:5060"])],
    }
    return edge.remembered(edge.row())


def test_everything_on_one_host_is_found_across_sets_whatever_its_port(
    edge: FakeProxy, add_row: AddRow
) -> None:
    add_row("sip:gw.example:5060")
    add_row("sip:GW.example:5080", setid=2)
    add_row("sip:other.gw.example:5060")
    assert at(host="gw.example") == [(1, "sip:gw.example:5060"), (2, "sip:GW.example:5080")]


def test_a_host_can_be_searched_within_one_set(edge: FakeProxy, add_row: AddRow) -> None:
    for uri, setid in ((NAMED, 1), (NAMED, 2), ("sip:other.example:5060", 2)):
        add_row(uri, setid)
    assert at("2", "gw.example") == [(2, NAMED)]


def test_a_resolved_address_finds_names_and_literals_of_all_ports(edge: FakeProxy, add_row: AddRow) -> None:
    named_in_memory(edge)
    for uri, setid in ((NAMED, 1), (NAMED, 2), (URI, 3), ("sip:10.0.0.1:5099", 4), ("sip:10.0.0.10:5060", 2)):
        add_row(uri, setid)
    assert at(address="10.0.0.1") == [(1, NAMED), (2, NAMED), (3, URI), (4, "sip:10.0.0.1:5099")]
    assert at(address="10.0.0.9") == [(1, NAMED), (2, NAMED)]


@pytest.mark.parametrize("written", ["2001:db8::1", "[2001:DB8:0:0:0:0:0:1]"])
def test_an_ipv6_address_is_found_however_it_is_written(
    edge: FakeProxy, add_row: AddRow, written: str
) -> None:
    edge.sets = {1: [listed(NAMED, resolved_addresses=["[2001:DB8:0:0:0:0:0:1]:5060"])]}
    edge.remembered(edge.row())
    add_row(NAMED)
    add_row("sip:[2001:db8:0::1]:5080", 2)
    assert at(address=written) == [(1, NAMED), (2, "sip:[2001:db8:0::1]:5080")]


@pytest.mark.parametrize("place", [{"host": "gw.example"}, {"address": "10.0.0.9"}, {"setid": "1"}])
def test_what_only_a_proxy_holds_is_found_beside_the_rows(
    edge: FakeProxy, add_row: AddRow, place: dict[str, str]
) -> None:
    named_in_memory(edge)
    add_row(NAMED, 2)
    found = destinations_at(HostQuery.parse(*(place.get(part, "") for part in ("setid", "host", "address"))))
    assert (1, NAMED, False) in [(row.setid, row.destination, bool(row.pk)) for row in found.rows]
    assert found.any_is_memory_only


def test_what_another_partition_or_a_disabled_proxy_holds_is_not_found(edge: FakeProxy) -> None:
    proxy = named_in_memory(edge)
    KnownDestination.objects.filter(setid=1).update(partition="west")
    assert at(host="gw.example") == [(2, NAMED)]
    Proxy.objects.filter(pk=proxy.pk).update(enabled=False)
    assert at(host="gw.example") == []


@pytest.mark.parametrize(
    "place",
    [
        ("", "", ""),
        ("x", "", ""),
        ("-1", "", ""),
        ("9" * 40, "", ""),
        ("", "", "gw.example"),
        ("", "", "10.0.0"),
        ("x", "10.0.0.1", ""),
        ("", "%", ""),
    ],
)
def test_a_place_that_is_none_chooses_nothing(
    edge: FakeProxy, add_row: AddRow, place: tuple[str, str, str]
) -> None:
    add_row(URI)
    assert at(*place) == []


@pytest.mark.parametrize(
    "form",
    [
        "id=x",
        "id=-1",
        "id=" + "9" * 40,
        "id=999999",
        "id=%C2%B2",
        "in_memory=x",
        "in_memory=1+sip:a",
        "in_memory=+",
    ],
)
def test_a_form_that_names_no_destination_chooses_nothing(edge: FakeProxy, form: str) -> None:
    assert selectors.chosen_in(QueryDict(form)).rows == ()


def test_suggestions_count_destinations_and_sets(edge: FakeProxy, add_row: AddRow) -> None:
    named_in_memory(edge)
    add_row("sip:gw.example:5080", 2)
    assert suggestions("GW.example").suggestions == (
        Suggestion("gw.example", False, 3, 2),
        Suggestion("10.0.0.1", True, 2, 2),
        Suggestion("10.0.0.9", True, 2, 2),
    )
    assert suggestions("10.0.0.1").suggestions[0] == Suggestion("10.0.0.1", True, 3, 3)


def test_what_is_too_much_to_show_is_reported(operator: Client, edge: FakeProxy) -> None:
    edge.sets = {1: [listed(f"sip:gw-{number}.example:5060") for number in range(31)]}
    edge.remembered(edge.row())
    assert suggestions("gw-").is_partial
    assert (
        "narrow your search" in operator.get(reverse("operations:everything"), {"q": "gw-"}).content.decode()
    )


@pytest.mark.parametrize("text", ["", "g", "%%", "__", "nowhere"])
def test_what_is_too_short_or_nowhere_suggests_nothing(edge: FakeProxy, text: str) -> None:
    named_in_memory(edge)
    assert suggestions(text).suggestions == ()


def test_the_search_page_leads_to_the_confirmation(operator: Client, edge: FakeProxy) -> None:
    named_in_memory(edge)
    page = operator.get(reverse("operations:everything"), {"q": "gw.ex"}).content.decode()
    assert f"{reverse(CHOOSE)}?host=gw.example" in page
    assert f"{reverse(CHOOSE)}?address=10.0.0.9" in page
    fragment = operator.get(
        reverse("operations:everything"), {"q": "gw.ex"}, headers={"HX-Target": "found"}
    ).content.decode()
    assert "gw.example" in fragment
    assert "<html" not in fragment


def test_the_effect_is_reported_per_set_and_proxy(play: Play, add_row: AddRow) -> None:
    first, second = (
        play(sets={1: [listed(URI), listed(NAMED)], 2: [listed(URI)]}),
        play(sets={1: [listed(URI, "Probing"), listed(NAMED)]}),
    )
    first.remembered(first.row("a"))
    second.remembered(second.row("b"))
    rows = list(Destination.objects.filter(pk__in=[add_row(URI, 1), add_row(URI, 2)]))
    watched = watched_proxies()
    effects = selectors.set_effects(selectors.chosen_lines(rows, watched), watched)
    assert [
        (each.setid, on.proxy.name, on.loaded, on.active, on.if_inactive, on.if_active)
        for each in effects
        for on in each.on_proxies
    ] == [
        (2, "a", 1, 1, 0, 1),
        (2, "b", 0, 0, 0, 0),
        (1, "a", 2, 2, 1, 2),
        (1, "b", 2, 1, 1, 2),
    ]
    assert [list(map(str, each.emptied_on)) for each in effects] == [["a"], []]


def test_a_second_destination_of_the_same_uri_keeps_a_set_from_being_empty(
    edge: FakeProxy, add_row: AddRow
) -> None:
    edge.sets = {1: [listed(URI), listed(URI)]}
    edge.remembered(edge.row())
    watched = watched_proxies()
    rows = list(Destination.objects.filter(pk=add_row(URI)))
    (effects,) = selectors.set_effects(selectors.chosen_lines(rows, watched), watched)
    assert effects.emptied_on == []


def test_everything_at_an_address_is_confirmed_once_and_set_on_each_proxy(
    operator: Client, edge: FakeProxy, add_row: AddRow
) -> None:
    proxy = named_in_memory(edge)
    add_row(NAMED, 2)
    page = operator.get(reverse(CHOOSE), {"address": "10.0.0.9"})
    text = page.content.decode()
    assert "in memory only" in text
    assert "Effect on 2 sets" in text
    form = {"proxy": [str(proxy.pk)], "state": "inactive", "in_memory": [f"1 {NAMED}"]}
    form["id"] = [str(line.row.pk) for line in page.context["lines"] if line.row.pk]
    result = operator.post(reverse(SET), form, follow=True).context["page"]
    assert {(line.result.setid, line.result.state_after) for line in result.lines} == {
        (1, KnownState.INACTIVE),
        (2, KnownState.INACTIVE),
    }
    labels = set(AuditRecord.objects.filter(action="state").values_list("subject_label", flat=True))
    assert f"{NAMED} in set 1, in memory only" in labels


def test_a_destination_that_is_in_memory_only_can_be_set_alone(operator: Client, edge: FakeProxy) -> None:
    proxy = named_in_memory(edge)
    page = operator.get(reverse(CHOOSE), {"setid": "3"}).content.decode()
    assert f'action="{reverse(SET)}"' in page
    form = {"proxy": [str(proxy.pk)], "state": "inactive", "in_memory": [f"3 {URI}"]}
    assert operator.post(reverse(SET), form).status_code == 302


def test_a_thousand_are_set_at_once_and_more_are_reported_to_stay(
    operator: Client, edge: FakeProxy, add_row: AddRow
) -> None:
    uris = [f"sip:gw.example:{6000 + number}" for number in range(1001)]
    edge.sets = {number: [listed(uri)] for number, uri in enumerate(uris, 1)}
    proxy = edge.remembered(edge.row())
    page = operator.get(reverse(CHOOSE), {"host": "gw.example"})
    assert len(page.context["lines"]) == 1000
    assert "1,001 destinations selected" in page.content.decode()
    form = {"proxy": [str(proxy.pk)], "state": "inactive"}
    loaded = [f"{line.row.setid} {line.row.destination}" for line in page.context["lines"]]
    assert operator.post(reverse(SET), {**form, "in_memory": loaded}).status_code == 302
    assert StateRun.objects.get().results.count() == 1000


def test_some_of_the_proxies_that_share_a_table_are_set_once_that_is_confirmed(
    operator: Client, play: Play, add_row: AddRow
) -> None:
    first, second = play(sets={1: [listed(URI)]}), play(sets={1: [listed(URI)]})
    chosen = first.remembered(first.row("a"))
    second.remembered(second.row("b"))
    address = reverse("operations:state", args=[add_row(URI)])
    assert "share the table" not in operator.get(address).content.decode()
    answer = operator.post(address, sent(chosen))
    assert answer.status_code == 422
    assert "shares the table with these" in answer.content.decode()
    assert "persistent_state" in answer.content.decode()
    assert first.commands_of("ds_set_state") == []
    assert operator.post(address, sent(chosen, only_these="on")).status_code == 302
    assert len(first.commands_of("ds_set_state")) == 1
    assert second.commands_of("ds_set_state") == []


def test_proxies_of_other_partitions_do_not_share_the_table(
    operator: Client, play: Play, add_row: AddRow
) -> None:
    first, second = play(sets={1: [listed(URI)]}), play(sets={1: [listed(URI)]}, partition="west")
    chosen = first.remembered(first.row("a"))
    second.remembered(second.row("b", partition="west"))
    address = reverse("operations:state", args=[add_row(URI)])
    assert operator.post(address, sent(chosen)).status_code == 302


@pytest.mark.parametrize(("role", "is_offered"), [(Role.VIEWER, False), (Role.OPERATOR, True)])
def test_the_board_and_a_destination_lead_to_all_on_its_host(
    client_as: ClientAs, edge: FakeProxy, add_row: AddRow, role: Role, is_offered: bool
) -> None:
    edge.sets = {1: [listed(NAMED, "Probing")]}
    edge.remembered(edge.row())
    client, link = client_as(role), f"{reverse('operations:everything')}?q=gw.example"
    for address in (reverse("operations:board"), reverse("operations:destination", args=[add_row(NAMED)])):
        assert (link in client.get(address).content.decode()) is is_offered
