"""Repeating a transaction that lost to another one.

Panel, watcher, worker and sandbox write to one database. SQLite says "database is locked" when a writer
waited longer than its timeout, MariaDB ends one of two transactions that wait for each other.
"""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection

TRIES = 5
_MARIADB_LOCK_ERRORS = frozenset({1205, 1213})
"""ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK: the whole transaction is to be repeated."""

P = ParamSpec("P")
R = TypeVar("R")


def retried_on_lock(transaction: Callable[P, R]) -> Callable[P, R]:
    """Repeat `transaction`, which must be one transaction of its own, up to TRIES times on a lost lock.

    Within an outer transaction nothing is repeated: the outer one is lost as a whole.
    """

    @wraps(transaction)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, TRIES):
            try:
                return transaction(*args, **kwargs)
            except OperationalError as error:
                if not is_lost_lock(error) or connection.in_atomic_block:
                    raise
            # Two that waited for each other must not come back at the same moment.
            time.sleep(random.uniform(0.02, 0.1) * attempt)  # noqa: S311
        return transaction(*args, **kwargs)

    return repeated


def is_lost_lock(error: OperationalError) -> bool:
    """Whether `error` says that a lock could not be had, rather than that the database is in trouble."""
    code = error.args[0] if error.args else None
    return code in _MARIADB_LOCK_ERRORS or (isinstance(code, str) and "locked" in code)
