"""The leading watcher is killed while states change: what is stored, and what is shown to be missing."""

from pathlib import Path

import pytest

from tests.proxies.takeover import take_over

pytestmark = pytest.mark.long


def test_what_the_ring_keeps_is_neither_lost_nor_doubled(tmp_path: Path) -> None:
    found = take_over(tmp_path, changes_without_leader=100)
    assert found.is_one_line
    assert not found.lost, found.gaps
    assert not found.gaps


def test_what_the_ring_can_not_keep_is_a_gap(tmp_path: Path) -> None:
    found = take_over(tmp_path, changes_without_leader=250)
    assert found.is_one_line
    assert found.gaps
    assert 0 < found.lost <= found.in_gaps
