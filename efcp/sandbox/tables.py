"""What the sandbox reads of OpenSIPS's tables, and the one thing that it may write."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import Error, close_old_connections, connection, transaction

from dialplan.models import Rule
from dialplan.translation import rules
from dialplan.translation.rules import RuleRow
from dispatcher.models import Destination
from dispatcher.routing import rows
from dispatcher.routing.memory import UnsavedState
from dispatcher.routing.rows import DestinationRow
from efcp.proxies.locking import retried_on_lock
from efcp.sandbox.proxy import Tables, TablesUnreadableError

MAX_ROWS = 200_000

P = ParamSpec("P")
R = TypeVar("R")


def _or_unreadable(read: Callable[P, R]) -> Callable[P, R]:
    """Turn a database's errors into TablesUnreadableError."""

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            close_old_connections()
            return read(*args, **kwargs)
        except Error as error:
            raise TablesUnreadableError(str(error)) from error

    return reading


@_or_unreadable
def dispatcher_rows() -> Sequence[DestinationRow]:
    """The rows of `dispatcher` in the order in which a proxy gets them."""
    found = Destination.objects.order_by("id").values_list(*rows.COLUMNS)[:MAX_ROWS]
    return [DestinationRow(*row) for row in found]


@_or_unreadable
def dialplan_rules() -> Sequence[RuleRow]:
    """The rules of `dialplan` in the order in which a proxy gets them."""
    found = Rule.objects.order_by("id").values_list(*rules.COLUMNS)[:MAX_ROWS]
    return [RuleRow(*row) for row in found]


@_or_unreadable
@retried_on_lock
def flush(states: Sequence[UnsavedState]) -> int:
    """Write changed states into the trial's table as persistent_state does, and return how many rows changed.

    On anything but the trial's own database nothing is written.
    """
    if not (settings.CONFIGURATION.trial and connection.vendor == "sqlite"):
        return 0
    written = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for each in states:
            cursor.execute(
                "UPDATE dispatcher SET state = %s WHERE setid = %s AND destination = %s",
                [int(each.state), each.setid, each.uri],
            )
            written += cursor.rowcount
    return written


OF_THE_PANEL = Tables(dispatcher_rows, dialplan_rules, "the panel's own database", flush)
"""The tables in the panel's own database."""
