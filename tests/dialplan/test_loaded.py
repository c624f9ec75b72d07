"""What of the dialplan a proxy has not loaded yet, known by the panel's reloads and the proxy's reports."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dialplan import services
from dialplan.loaded import Kind, ProxyRules, pending_rules, read_rules
from dialplan.models import Rule
from dialplan.translation.rules import RuleRow
from efcp.audit.services import Actor
from efcp.mi.replies import IdentifierReports, StatusReport
from efcp.proxies.load_reports import LoadReports, PanelLoad
from efcp.proxies.loads import record_panel_load
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import watched_proxies
from tests.conftest import AddRule
from tests.dispatcher.conftest import make_proxy
from tests.factories import store_load_reports

SOMEBODY = Actor("somebody")


@pytest.fixture
def proxy(db: None) -> Proxy:
    """A proxy that answered a second ago."""
    return make_proxy("edge-1")


def ring(*seconds_ago: int, rules: int | None = None) -> LoadReports:
    """What a proxy reports of loads, now."""
    now = timezone.now()
    count = Rule.objects.filter(disabled=0).count() if rules is None else rules
    texts = (
        "starting DB data loading",
        "DB data loading successfully completed",
        f"{count} rules loaded (0 discarded)",
    )
    reports = [
        StatusReport(now - timedelta(seconds=second), text) for second in seconds_ago for text in texts
    ]
    return LoadReports(now, IdentifierReports("dialplan", "default", tuple(reports)))


def reload(proxy: Proxy) -> None:
    """A clean reload by this panel, a minute ago."""
    rules = read_rules()
    assert rules is not None
    before, after = ring(600), ring(600, 60)
    own = PanelLoad(timezone.now(), list(rules.values()), "", True, before, after)
    record_panel_load(proxy, "dialplan", "default", own)


def load_by_hand(proxy: Proxy, rules: int | None = None) -> None:
    """A load that the proxy reports, two minutes ago, and that this panel did not ask for."""
    store_load_reports(proxy, "dialplan", "default", ring(600, 120, rules=rules))


def values(rule_id: int) -> RuleRow:
    return RuleRow.of(Rule.objects.get(pk=rule_id))


def edit(rule_id: int, **columns: object) -> None:
    before = values(rule_id)
    services.update(rule_id, before, replace(before, **columns), SOMEBODY)  # type: ignore[arg-type]


def pending() -> ProxyRules:
    (found,) = pending_rules(watched_proxies())
    return found


def markers(client: Client) -> list[tuple[str, ...]]:
    """The finding on each rule of the list."""
    page = client.get(reverse("dialplan:list")).context["page"]
    return [
        tuple(each.words for each in rule.not_loaded) for section in page.sections for rule in section.rules
    ]


def test_after_a_reload_nothing_is_pending(proxy: Proxy, add_rule: AddRule, administrator: Client) -> None:
    add_rule("^0")
    reload(proxy)
    assert (pending().count, pending().why) == (0, "")
    assert markers(administrator) == [()]
    assert "Up to date" in administrator.get(reverse("dialplan:pending")).content.decode()


def test_a_rule_that_was_added_is_not_loaded(proxy: Proxy, add_rule: AddRule, administrator: Client) -> None:
    add_rule("^0")
    reload(proxy)
    add_rule("^1", pr=1)
    assert pending().counts == {Kind.ADDED: 1}
    assert markers(administrator) == [(), ("not loaded",)]


def test_a_rule_that_was_edited_is_not_loaded(proxy: Proxy, add_rule: AddRule, administrator: Client) -> None:
    rule_id = add_rule("^0")
    reload(proxy)
    edit(rule_id, repl_exp="49", attrs="x")
    assert pending().counts == {Kind.CHANGED: 1}
    assert markers(administrator) == [("replacement, attributes changed, not loaded",)]


def test_a_rule_that_was_moved_is_not_loaded(proxy: Proxy, add_rule: AddRule, administrator: Client) -> None:
    first, last = add_rule("^0", pr=1), add_rule("^1", pr=5)
    reload(proxy)
    services.move(first, last, SOMEBODY, behind=True)
    assert markers(administrator) == [(), ("priority changed, not loaded",)]


def test_a_rule_that_was_disabled_is_still_loaded(
    proxy: Proxy, add_rule: AddRule, administrator: Client
) -> None:
    rule_id = add_rule("^0")
    reload(proxy)
    services.set_disabled(rule_id, True, SOMEBODY)
    assert pending().counts == {Kind.REMOVED: 1}
    assert markers(administrator) == [("still loaded",)]


def test_a_rule_that_was_enabled_is_not_loaded(
    proxy: Proxy, add_rule: AddRule, administrator: Client
) -> None:
    rule_id = add_rule("^0", disabled=1)
    reload(proxy)
    assert markers(administrator) == [()]
    services.set_disabled(rule_id, False, SOMEBODY)
    assert markers(administrator) == [("not loaded",)]


def test_a_rule_that_was_deleted_is_still_loaded_and_named(
    proxy: Proxy, add_rule: AddRule, administrator: Client
) -> None:
    rule_id = add_rule("^0815")
    reload(proxy)
    services.delete(rule_id, values(rule_id), SOMEBODY)
    assert pending().counts == {Kind.REMOVED: 1}
    page = administrator.get(reverse("dialplan:pending")).content.decode()
    assert "Still loaded" in page
    assert "^0815" in page


def test_a_disabled_rule_may_change_as_it_likes(proxy: Proxy, add_rule: AddRule) -> None:
    rule_id = add_rule("^0", disabled=1)
    reload(proxy)
    edit(rule_id, attrs="x")
    assert pending().count == 0


def test_what_was_loaded_from_elsewhere_is_unknown(
    proxy: Proxy, add_rule: AddRule, administrator: Client
) -> None:
    reload(proxy)
    load_by_hand(proxy)
    assert pending().count == 0
    assert "outside this panel" in pending().why
    assert ">Unknown<" in administrator.get(reverse("dialplan:pending")).content.decode()


def test_what_was_changed_here_after_a_load_by_other_hands_is_not_loaded(
    proxy: Proxy, add_rule: AddRule, administrator: Client
) -> None:
    load_by_hand(proxy)
    rule_id = add_rule("^0")
    edit(rule_id, attrs="x")
    assert pending().counts == {Kind.ADDED: 1}
    assert pending().why
    assert markers(administrator) == [("not loaded",)]


def test_a_change_that_was_taken_back_is_none(proxy: Proxy, add_rule: AddRule) -> None:
    rule_id = add_rule("^0")
    reload(proxy)
    edit(rule_id, attrs="x")
    edit(rule_id, attrs="")
    assert pending().count == 0


def test_a_count_that_the_table_does_not_have_differs(proxy: Proxy, add_rule: AddRule) -> None:
    add_rule("^0")
    load_by_hand(proxy, rules=3)
    assert pending().differs == "It read 3 rules, the table has 1."


def test_proxies_that_differ_are_named(proxy: Proxy, add_rule: AddRule, administrator: Client) -> None:
    other = make_proxy("edge-2")
    add_rule("^0")
    reload(proxy)
    add_rule("^1", pr=1)
    reload(other)
    page = administrator.get(reverse("dialplan:list")).content.decode()
    assert "not loaded on edge-1" in page


def test_a_silent_proxy_is_not_compared(db: None, add_rule: AddRule, administrator: Client) -> None:
    silent = make_proxy("edge-1", answered_s_ago=600)
    reload(silent)
    add_rule("^0")
    assert markers(administrator) == [()]
    assert "Currently unknown" in administrator.get(reverse("dialplan:pending")).content.decode()
