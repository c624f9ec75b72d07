"""Many translations are those that come one by one."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.translation.loading import LoadedDialplans, load
from dialplan.translation.outcomes import Bulk, required_prefix
from dialplan.translation.rules import RuleRow
from dialplan.translation.translate import translate

NOW = 1_790_000_000
EXPRESSIONS = st.sampled_from(
    [
        "^0",
        "^00",
        "^001",
        "^1",
        "^(0|1)",
        "0$",
        "^0?1",
        "^0{2}1",
        "^0+",
        "^[0]1",
        "1|^00",
        "^00|^11",
        "^A1",
        "",
        "^",
    ]
)
RULES = st.lists(
    st.builds(
        RuleRow,
        dpid=st.just(1),
        pr=st.integers(0, 2),
        match_op=st.sampled_from([0, 1, 1, 1]),
        match_exp=EXPRESSIONS.filter(bool),
        match_flags=st.integers(0, 1),
        subst_exp=st.sampled_from([None, "^(.)"]),
        repl_exp=st.sampled_from([None, "x\\1"]),
        timerec=st.sampled_from([None, None, "20240101T000000||P1D|daily", "20300101T000000||P1D|daily"]),
    ),
    max_size=8,
)
INPUTS = st.lists(st.text(alphabet="01aA", max_size=4).map(str.encode), max_size=6)


@given(RULES, INPUTS)
def test_many_are_translated_as_one_by_one(rows: list[RuleRow], inputs: list[bytes]) -> None:
    result = load([replace(row, id=index) for index, row in enumerate(rows, 1)])
    if not isinstance(result, LoadedDialplans) or 1 not in result.dialplans:
        return
    bulk = Bulk(result.dialplans[1], NOW)
    for text in inputs:
        assert bulk.translate(text).outcome == translate(result.dialplans, 1, text, NOW).outcome


@pytest.mark.parametrize(
    ("columns", "prefix"),
    [
        ({"match_exp": "^0049[0-9]"}, b"0049"),
        ({"match_exp": "^0?1"}, b""),
        ({"match_exp": "^01?"}, b"0"),
        ({"match_exp": "^0|1"}, b""),
        ({"match_exp": "01"}, b""),
        ({"match_exp": "^a1", "match_flags": 1}, b""),
        ({"match_exp": "^\\+49"}, b"+49"),
        ({"match_exp": "^0", "timerec": "20240101T000000||P1D|daily"}, b""),
    ],
)
def test_what_an_input_has_to_begin_with(columns: dict[str, Any], prefix: bytes) -> None:
    result = load([RuleRow(**{"id": 1, "dpid": 1, "match_op": 1} | columns)])
    assert isinstance(result, LoadedDialplans)
    assert required_prefix(result.dialplans[1].rules[0]) == prefix
