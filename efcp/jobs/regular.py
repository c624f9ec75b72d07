"""What the worker does regularly beside its jobs, in a thread of its own: a job may take hours.

Tasks are registered by the layers above, when the apps are ready.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from django.db import Error as AnyDatabaseError
from django.db import close_old_connections, connection

log = logging.getLogger(__name__)

_tasks: dict[str, tuple[float, Callable[[datetime], object]]] = {}


def register(name: str, every_s: float, carry_out: Callable[[datetime], object]) -> None:
    """Register `carry_out` to run every `every_s` seconds; it has to bound its own network calls."""
    _tasks[name] = (every_s, carry_out)


def start(stopping: threading.Event) -> None:
    """Run each registered task in a daemon thread until `stopping` is set; returns at once."""
    for name, (every_s, carry_out) in _tasks.items():
        threading.Thread(
            target=_perform, args=(name, every_s, carry_out, stopping), name=f"regular-{name}", daemon=True
        ).start()


def _perform(
    name: str, every_s: float, carry_out: Callable[[datetime], object], stopping: threading.Event
) -> None:
    while not stopping.wait(every_s):
        close_old_connections()
        try:
            carry_out(datetime.now(UTC))
        except AnyDatabaseError as error:
            log.info("The task %s has to wait for the database: %s", name, error)
            connection.close()
        except Exception:
            # Whatever is wrong with one turn, the next one is to come.
            log.exception("The task %s failed", name)
            connection.close()
    connection.close()
