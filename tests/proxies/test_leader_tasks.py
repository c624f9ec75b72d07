"""Tasks of the leading watcher: done while it leads, whatever becomes of another."""

import logging
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest
from django.db import OperationalError

from efcp.proxies import leader
from efcp.proxies.leader import LeaderTasks
from tests.proxies.mi_server import wait_until


@pytest.fixture
def stopping() -> Iterator[threading.Event]:
    """An event that ends the leader tasks; no leader task of the panel's own is carried out."""
    kept = dict(leader._tasks)
    leader._tasks.clear()
    event = threading.Event()
    yield event
    event.set()
    leader._tasks.clear()
    leader._tasks.update(kept)


@pytest.mark.django_db(transaction=True)
def test_one_that_fails_keeps_no_other_from_its_turn_and_has_its_own_next_one(
    stopping: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[str] = []

    def fail(_now: datetime) -> None:
        turns.append("fails")
        raise RuntimeError("the broom is broken")

    leader.register("fails", 0.01, fail)
    leader.register("works", 0.01, lambda _now: turns.append("works"))
    working = LeaderTasks(lambda: True, stopping)
    with caplog.at_level(logging.ERROR):
        working.start()
        assert wait_until(lambda: min(turns.count("fails"), turns.count("works")) >= 3)
        stopping.set()
        working.join()
    assert "The leader task fails failed" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_no_error_of_the_duty(
    stopping: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[datetime] = []

    def need_database(now: datetime) -> None:
        turns.append(now)
        raise OperationalError(2002, "Can't connect")

    leader.register("waits", 0.01, need_database)
    working = LeaderTasks(lambda: True, stopping)
    with caplog.at_level(logging.WARNING):
        working.start()
        assert wait_until(lambda: len(turns) >= 3)
        stopping.set()
        working.join()
    assert not caplog.records


@pytest.mark.django_db(transaction=True)
def test_who_does_not_lead_does_nothing(stopping: threading.Event) -> None:
    looked: list[bool] = []
    turns: list[datetime] = []

    def is_leading() -> bool:
        looked.append(True)
        return False

    leader.register("works", 0.01, turns.append)
    working = LeaderTasks(is_leading, stopping)
    working.start()
    assert wait_until(lambda: len(looked) >= 3)
    stopping.set()
    working.join()
    assert not turns
