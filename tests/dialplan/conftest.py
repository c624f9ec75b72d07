"""Rules of the table, and who looks at them."""

from typing import Any

import pytest

from tests.conftest import AddRule
from tests.factories import RuleFactory


@pytest.fixture
def add_rule(db: None) -> AddRule:
    """Return a function that adds a rule by the panel's own service and returns its id."""

    def add(match_exp: str, dpid: int = 1, **columns: Any) -> int:
        return RuleFactory.create(dpid=dpid, match_exp=match_exp, **columns).pk

    return add


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
