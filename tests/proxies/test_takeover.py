"""The leading watcher is killed while states change: what is stored, and what is told to be missing."""

from pathlib import Path

import pytest

from tests.proxies.takeover import CHANGES, take_over

pytestmark = pytest.mark.long
RING = 200


def test_what_the_ring_keeps_is_neither_lost_nor_doubled(tmp_path: Path) -> None:
    """25 changes a second are fewer in the time of a takeover than the reports that a proxy keeps."""
    found = take_over(tmp_path, changes_a_second=25)
    assert found.is_one_line
    assert len(found.stored) == CHANGES, (found.lost, found.gaps)
    assert not found.gaps


def test_what_the_ring_can_not_keep_is_told_as_a_gap(tmp_path: Path) -> None:
    found = take_over(tmp_path, changes_a_second=100)
    assert found.is_one_line
    assert found.gaps
    assert 0 < found.lost <= found.in_gaps
