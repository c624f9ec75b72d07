"""Moving a rule before or behind another, and enabling it in place."""

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from dialplan.models import Rule
from dialplan.order import MAX_PRIORITY, NoRoomError, Placed, moved
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from tests.conftest import AddRule, ClientAs
from tests.tokens import fresh


@given(st.lists(st.integers(-3, 12), min_size=2, max_size=12), st.data())
def test_a_moved_rule_stands_where_it_was_put_and_all_others_keep_their_order(
    priorities: list[int], data: st.DataObject
) -> None:
    rules = [Placed(number, pr) for number, pr in enumerate(sorted(priorities))]
    moving, target = data.draw(st.permutations(range(len(rules))))[:2]
    behind = data.draw(st.booleans())
    changes = moved(rules, moving, target, behind=behind)
    after = sorted(rules, key=lambda rule: (changes.get(rule.id, rule.pr), rule.id))
    others = [rule.id for rule in rules if rule.id != moving]
    others.insert(others.index(target) + behind, moving)
    assert [rule.id for rule in after] == others


def test_a_gap_is_used_before_others_are_renumbered() -> None:
    rules = [Placed(1, 0), Placed(2, 10), Placed(3, 20)]
    assert moved(rules, 3, 2, behind=False) == {3: 5}


def test_there_is_no_place_behind_the_largest_priority() -> None:
    with pytest.raises(NoRoomError):
        moved([Placed(1, 0), Placed(2, MAX_PRIORITY)], 1, 2, behind=True)


def test_a_rule_of_another_dialplan_is_no_target(administrator: Client, add_rule: AddRule) -> None:
    mine, other = add_rule("^1$"), add_rule("^1$", dpid=2)
    assert (
        administrator.post(reverse("dialplan:move", args=[mine]), fresh(Rule, mine, before=other)).status_code
        == 404
    )


@pytest.mark.parametrize("target", ["", "x", "-1", "99999999999"])
def test_a_target_that_is_no_rule_is_not_found(administrator: Client, add_rule: AddRule, target: str) -> None:
    assert (
        administrator.post(reverse("dialplan:move", args=[add_rule("^1$")]), {"before": target}).status_code
        == 404
    )


def test_moving_is_written_and_audited(administrator: Client, add_rule: AddRule) -> None:
    first, second = add_rule("^1$", pr=0), add_rule("^2$", pr=0)
    administrator.post(reverse("dialplan:move", args=[second]), fresh(Rule, second, before=first))
    assert list(Rule.objects.order_by("pr").values_list("pk", flat=True)) == [second, first]
    assert AuditRecord.objects.filter(subject_kind="dialplan", action="edit").count() == 1


def test_a_rule_is_disabled_and_enabled_in_the_list(administrator: Client, add_rule: AddRule) -> None:
    rule = add_rule("^1$")
    address = reverse("dialplan:disabled", args=[rule])
    administrator.post(address, fresh(Rule, rule, disabled=1))
    assert Rule.objects.get().disabled == 1
    administrator.post(address, fresh(Rule, rule, disabled=0))
    assert Rule.objects.get().disabled == 0


@pytest.mark.parametrize("name", ["dialplan:move", "dialplan:disabled"])
def test_only_an_administrator_may(client_as: ClientAs, add_rule: AddRule, name: str) -> None:
    address = reverse(name, args=[add_rule("^1$")])
    assert client_as(Role.OPERATOR).post(address).status_code == 403
    assert client_as(Role.ADMINISTRATOR).get(address).status_code == 405
