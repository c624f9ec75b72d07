"""Rules of the table, and who looks at them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from efcp.accounts.roles import Role
from tests.factories import RuleFactory

ClientAs = Callable[[Role | None], Client]
AddRule = Callable[..., int]


@pytest.fixture
def add_rule(db: None) -> AddRule:
    """Return a function that adds a rule by the panel's own service and returns its id."""

    def add(match_exp: str, dpid: int = 1, **columns: Any) -> int:
        return RuleFactory.create(dpid=dpid, match_exp=match_exp, **columns).pk

    return add


@pytest.fixture
def administrator(client_as: ClientAs) -> Client:
    """Who may write rules."""
    return client_as(Role.ADMINISTRATOR)


def typed(**more: Any) -> dict[str, Any]:
    """What the form sends for a rule that takes a leading 0 away."""
    return {
        "dpid": "1",
        "pr": "0",
        "match_op": "1",
        "match_exp": "^0([1-9][0-9]+)$",
        "subst_exp": "^0(.*)$",
        "repl_exp": "+49\\1",
        "attrs": "",
        "timerec": "",
    } | more
