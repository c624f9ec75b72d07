"""Weights as loaded, and the shares that they mean."""

import pytest

from dispatcher.shares import number_of, percentage
from efcp.figures import percent_text


@pytest.mark.parametrize(
    ("weight", "loaded"),
    [
        ("1", 1),
        ("007", 7),
        ("65535", 65535),
        ("65536", 0),
        ("2 ", 2),
        ("  ", 1),
        ("fs://u:p@10.0.0.9  ", 1),
        ("fs://u:p@10.0.0.9", 1),
        ("", 1),
        ("heavy", 0),
        ("-1", 0),
        ("5x", 5),
    ],
)
def test_a_weight_counts_as_the_proxy_loads_it(weight: str, loaded: int) -> None:
    assert number_of(weight) == loaded


@pytest.mark.parametrize(
    ("weight", "active_weight", "active", "share"), [(1, 4, 2, 25), (0, 4, 2, 0), (0, 0, 4, 25), (0, 0, 0, 0)]
)
def test_a_share_follows_the_weights_of_the_active_ones_or_their_number(
    weight: int, active_weight: int, active: int, share: float
) -> None:
    assert percentage(weight, active_weight, active) == share


@pytest.mark.parametrize(("share", "text"), [(25.0, "25"), (33.333, "33.3"), (0.04, "<0.1"), (0.0, "0")])
def test_a_percentage_is_as_short_as_it_stays_true(share: float, text: str) -> None:
    assert percent_text(share) == text
