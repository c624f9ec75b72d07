"""The preview of one call: exact, explained, and clear about what it can't do."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispatcher.models import Destination
from efcp.accounts.roles import Role
from efcp.mi import Endpoint, MiClient
from efcp.preview.calls.explanation import CallExplanation
from efcp.preview.sources import NO_WEIGHTS
from efcp.proxies.memory import Snapshot
from efcp.proxies.reconcile import ProxyAnswer
from efcp.proxies.visits import visit
from tests.conftest import ClientAs
from tests.operations.fake_proxy import Play
from tests.proxies.mi_server import listed

FIRST, SECOND = "sip:192.0.2.1:5060", "sip:192.0.2.2:5060"
INVITE = """INVITE sip:+4930123@gw.example.org SIP/2.0
From: "Ann" <sip:ann@example.org>;tag=1
To: <sip:bob@example.org>
Call-ID: abc
Proxy-Authorization: Digest username="ann", realm="x"

"""


def rows(*uris: str, setid: int = 1, **columns: Any) -> None:
    """Rows of the table."""
    for uri in uris:
        Destination.objects.create(
            setid=setid, destination=uri, **({"attrs": "", "description": ""} | columns)
        )


def previewed(client: Client, **question: Any) -> CallExplanation:
    """What the page explains."""
    page = client.get(reverse("preview:call"), {"setid": 1, **question})
    assert page.context["form"].is_valid(), page.context["form"].errors
    explained: CallExplanation = page.context["explained"]
    return explained


def errors(client: Client, **question: Any) -> dict[str, list[str]]:
    """What the form refuses."""
    page = client.get(reverse("preview:call"), {"setid": 1, **question})
    assert page.context["explained"] is None
    found: dict[str, list[str]] = page.context["form"].errors
    return found


def test_the_guides_example(viewer: Client) -> None:
    rows(FIRST, SECOND)
    preview = previewed(viewer, algorithm=2, flags="f", to_uri="sip:bob@example.org", failures=2)
    assert preview.keys == ("bob", "example.org")
    assert preview.chosen is not None
    first, second = preview.steps
    assert first.next_hop == preview.chosen.next_hop
    assert {first.next_hop, second.next_hop} == {FIRST, SECOND}
    assert "503" in second.then[-1]
    assert [(each.before, each.after) for each in preview.states_after] == [("active", "probing")] * 2


def test_the_call_is_shown_as_the_script_selects_it(viewer: Client) -> None:
    rows(FIRST, SECOND)
    page = viewer.get(reverse("preview:call"), {"setid": "1", "algorithm": "2", "flags": "f"})
    assert "ds_select_dst(1, 2, &quot;f&quot;)" in page.text
    assert "2 · hash of the To URI</span>" in page.text


@pytest.mark.parametrize(("flags", "followers"), [("f", 1), ("", 0)])
def test_followers_are_shown_without_a_failure(viewer: Client, flags: str, followers: int) -> None:
    rows(FIRST, SECOND)
    preview = previewed(viewer, call_id="abc", flags=flags)
    assert preview.chosen is not None
    assert len(preview.failover) == followers
    assert preview.chosen not in preview.failover


def test_below_the_threshold_no_state_changes(viewer: Client) -> None:
    rows(FIRST, SECOND)
    preview = previewed(viewer, call_id="abc", flags="f", failures=1, threshold=2)
    assert [step.failed for step in preview.steps] == [True, False]
    assert preview.states_after == ()


def test_without_the_flag_f_there_is_no_next(viewer: Client) -> None:
    rows(FIRST, SECOND)
    preview = previewed(viewer, call_id="abc", flags="", failures=1)
    [step] = preview.steps
    assert "503" in step.then[-1]


def test_the_bar_shows_the_place_that_the_hash_means(viewer: Client) -> None:
    rows(FIRST, weight="1")
    rows(SECOND, weight="3")
    preview = previewed(viewer, call_id="abc")
    [bar] = preview.bars
    assert [round(span.width) for span in bar.spans] == [25, 75]
    assert bar.total == 4
    number = next(each.number for each in preview.members if each.part == "chosen")
    span = bar.spans[number - 1]
    assert span.x <= bar.at <= span.x + span.width


def test_an_inactive_candidate_leaves_the_call_to_an_active_one(viewer: Client) -> None:
    rows(FIRST, state=1)
    rows(SECOND)
    for call_id in ("a", "b", "c", "d", "e", "f"):
        preview = previewed(viewer, call_id=call_id)
        assert preview.chosen is not None
        assert preview.chosen.uri == SECOND
    assert preview.members[0].words in {"inactive", ""}


def test_a_rule_of_the_table_that_is_dropped_is_remarked(viewer: Client) -> None:
    rows(FIRST, "nonsense")
    assert previewed(viewer, call_id="abc").notes


def test_an_unknown_algorithm_takes_the_first_entry_and_reports_it(viewer: Client) -> None:
    rows(FIRST, SECOND)
    preview = previewed(viewer, algorithm=42)
    assert preview.chosen is not None
    assert preview.chosen.uri == FIRST
    assert "Unknown algorithm 42" in preview.story[0]


def test_without_an_auth_user_to_hash_the_last_used_stays_with_a_reason(viewer: Client) -> None:
    rows(FIRST, SECOND)
    preview = previewed(viewer, algorithm=5)
    assert preview.story[0] == "The request has no auth user to hash: the last used destination is kept."
    assert preview.chosen is not None


def test_random_draws_the_same_for_the_same_seed(viewer: Client) -> None:
    rows(FIRST, SECOND)
    assert previewed(viewer, algorithm=6, seed=7) == previewed(viewer, algorithm=6, seed=7)


@pytest.mark.parametrize(("algorithm", "asks"), [(9, "the load"), (10, "the route's score")])
def test_the_least_measure_is_taken_and_marked_as_given(viewer: Client, algorithm: int, asks: str) -> None:
    rows(FIRST, SECOND)
    preview = previewed(viewer, algorithm=algorithm, measures="5, 2")
    assert preview.chosen is not None
    assert preview.chosen.uri == SECOND
    assert preview.story[0] == f"The proxy needs {asks}, given here as {FIRST}: 5, {SECOND}: 2."


def test_every_part_of_the_bar_is_labelled_with_its_share(viewer: Client) -> None:
    rows(FIRST, weight="1")
    rows(SECOND, weight="3")
    [bar] = previewed(viewer, call_id="abc").bars
    assert [(span.uri, span.share) for span in bar.labelled] == [(FIRST, 25), (SECOND, 75)]


def test_a_legend_of_many_holds_the_one_that_is_hit(viewer: Client) -> None:
    rows(*(f"sip:192.0.2.1:{port}" for port in range(6000, 6040)))
    bars = [previewed(viewer, call_id=call_id).bars[0] for call_id in "abcdefgh"]
    assert {sum(span.hit for span in bar.labelled) for bar in bars} == {1}
    assert {len(bar.labelled) + bar.not_labelled for bar in bars} == {40}


def test_who_was_passed_over_is_reported_with_the_reason(viewer: Client) -> None:
    rows(FIRST, state=2)
    rows(SECOND)
    preview = previewed(viewer, call_id="abc", flags="f")
    assert [each.words for each in preview.members] == ["probing", "takes the call"]


def test_the_memory_of_a_proxy_counts_with_its_states_and_sockets(play: Play, viewer: Client) -> None:
    destinations = [listed(FIRST, "Inactive", weight=1, priority=0), listed(SECOND, weight=1, priority=0)]
    edge = play(sets={1: [each | {"socket": "udp:127.0.0.1:5060"} for each in destinations]})
    proxy = edge.remembered(edge.row())
    preview = previewed(viewer, call_id="abc", source=f"memory-{proxy.pk}")
    assert preview.chosen is not None
    assert (preview.chosen.uri, preview.chosen.socket) == (SECOND, "udp:127.0.0.1:5060")
    assert preview.notes == ()


def test_weights_that_the_proxy_did_not_list_are_reported_as_missing(play: Play, viewer: Client) -> None:
    edge = play(sets={1: [listed(FIRST), listed(SECOND)]})
    proxy = edge.row()
    listing = MiClient(Endpoint.parse(edge.url)).ds_list(partition="default")
    visit(proxy, ProxyAnswer(Snapshot.of(listing, "default", timezone.now())))
    assert previewed(viewer, call_id="abc", source=f"memory-{proxy.pk}").notes == (NO_WEIGHTS,)


@pytest.mark.parametrize(
    ("question", "columns", "expected"),
    [
        ({"setid": 9, "call_id": "a"}, {}, "Set 9 has no destination"),
        ({"call_id": "a"}, {"state": 1}, "No destination in the set is active"),
        ({"algorithm": 1, "from_uri": "nonsense"}, {}, "can't parse the From URI: "),
        (
            {"algorithm": 2, "to_uri": ""},
            {},
            "can't parse the To URI: Too short for a URI. ds_select_dst fails.",
        ),
        ({"algorithm": 3, "request_uri": "sip:a@"}, {}, "can't parse the request URI: "),
        ({"algorithm": 7}, {}, "hash_pvar is empty"),
    ],
)
def test_a_call_that_gets_no_destination_shows_why(
    viewer: Client, question: dict[str, Any], columns: dict[str, Any], expected: str
) -> None:
    rows(FIRST, **columns)
    preview = previewed(viewer, **question)
    assert preview.chosen is None
    assert expected in preview.problem


def test_a_reload_that_would_break_is_reported(viewer: Client) -> None:
    rows(FIRST, "")
    assert "reload would fail" in previewed(viewer, call_id="a").problem


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("setid", "-1"),
        ("setid", "x"),
        ("algorithm", "-1"),
        ("flags", "fq"),
        ("max_results", "-1"),
        ("failures", "51"),
        ("threshold", "0"),
        ("seed", "x"),
        ("measures", "1 two"),
        ("measures", "2147483648"),
        ("source", "memory-99"),
    ],
)
def test_a_wrong_field_is_reported_there(viewer: Client, field: str, value: str) -> None:
    rows(FIRST)
    assert list(errors(viewer, **{field: value})) == [field]


def test_a_pasted_request_leads_to_the_address_that_holds_its_parts(viewer: Client) -> None:
    rows(FIRST)
    page = viewer.post(
        reverse("preview:call"), {"pasted": INVITE, "setid": "1", "algorithm": "5", "flags": "f"}, follow=True
    )
    given = page.context["form"].cleaned_data
    assert (given["call_id"], given["from_uri"]) == ("abc", "sip:ann@example.org")
    assert (given["auth_user"], given["algorithm"]) == ("ann", 5)
    assert page.context["explained"].keys == ("ann",)


def test_flags_that_were_cleared_stay_so_when_a_request_is_pasted(viewer: Client) -> None:
    rows(FIRST)
    page = viewer.post(reverse("preview:call"), {"pasted": INVITE, "setid": "1", "flags": ""}, follow=True)
    assert page.context["form"].data["flags"] == ""


def test_a_pasted_request_too_long_for_an_address_is_refused(viewer: Client) -> None:
    long = INVITE.replace("Call-ID: abc", f"Call-ID: {'a' * 5_000}")
    page = viewer.post(reverse("preview:call"), {"pasted": long})
    assert page.status_code == 422
    assert "too long for a link" in page.text


def test_what_can_not_be_parsed_is_shown_at_its_place(viewer: Client) -> None:
    rows(FIRST)
    page = viewer.post(reverse("preview:call"), {"pasted": "INVITE sip:a@x SIP/2.0\r\nFrom: <sip:a@x\r\n"})
    assert page.status_code == 422
    assert "Line 2, column 7" in page.text
    assert "From: <mark>&lt;sip:a@x</mark>" in page.text


def test_hostile_texts_are_shown_inert(viewer: Client) -> None:
    rows(FIRST, description="<script>alert(1)</script>")
    page = viewer.get(reverse("preview:call"), {"setid": "1", "call_id": "<script>alert(2)</script>"})
    assert "<script>alert" not in page.text


def test_a_set_of_many_rows_is_refused_rather_than_waited_for(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("efcp.preview.sources.MAX_ROWS", 3)
    rows(*(f"sip:192.0.2.1:{port}" for port in range(6000, 6004)))
    assert "more than" in previewed(viewer, call_id="a").problem


@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_everybody_who_is_signed_in_may_preview(client_as: ClientAs, role: Role | None, db: None) -> None:
    assert client_as(role).get(reverse("preview:call")).status_code == (200 if role else 302)


def test_a_post_from_another_site_is_refused(client_as: ClientAs) -> None:
    client = client_as(Role.VIEWER)
    client.handler.enforce_csrf_checks = True
    assert client.post(reverse("preview:call"), {"pasted": INVITE}).status_code == 403
