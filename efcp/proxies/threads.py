"""Work with proxies that goes on after its request was answered: in threads, each proxy in one of its own."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from django.db import connection

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")

log = logging.getLogger(__name__)


def in_background(work: Callable[[], None], name: str) -> threading.Event:
    """Begin `work` in a thread with a database connection of its own; return an event set at its end."""
    ended = threading.Event()

    def run() -> None:
        try:
            work()
        finally:
            connection.close()
            ended.set()

    threading.Thread(target=run, name=name, daemon=True).start()
    return ended


def ask_and_store(targets: Sequence[T], ask_one: Callable[[T], R], store: Callable[[R], S]) -> list[S]:
    """Ask all targets at once, store each answer in this thread as it comes; return what `store` returned.

    A target is a proxy, or several that are asked together. `ask_one` must not use the database. What is
    raised for one target is logged, and that target missing from what is returned; the others are asked and
    stored all the same.
    """
    if not targets:
        return []
    stored: list[S] = []
    # A thread for each, however many: a silent proxy may hold its thread for the whole limit.
    with ThreadPoolExecutor(len(targets), thread_name_prefix="mi") as pool:
        for future in as_completed([pool.submit(ask_one, target) for target in targets]):
            try:
                stored.append(store(future.result()))
            except Exception:
                # A fault of the panel's own with one proxy must not lose what the others answered.
                log.exception("What a proxy answered could not be stored")
                connection.close()
    return stored
