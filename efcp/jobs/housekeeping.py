"""Regular work that keeps the panel's own tables small. Floors above register what they want done."""

import logging
from collections.abc import Callable
from datetime import datetime

from django.utils import timezone
from django_tasks import task

log = logging.getLogger(__name__)

Chore = Callable[[datetime], int]
"""Do something as of a moment; return how many rows it concerned."""

_chores: dict[str, Chore] = {}


def register(name: str, chore: Chore) -> None:
    """Have `chore` done with each housekeeping (called by an app when it is ready)."""
    _chores[name] = chore


@task()
def keep_house() -> dict[str, int]:
    """Do every chore once; one that fails is logged and does not keep the others from being done."""
    now = timezone.now()
    done = {}
    for name, chore in _chores.items():
        try:
            done[name] = chore(now)
        except Exception:
            log.exception("The chore %s failed", name)
    return done
