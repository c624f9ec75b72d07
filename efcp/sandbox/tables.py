"""What the sandbox reads of OpenSIPS's tables, the one thing it may write, and the names in the rows.

Names are looked up many at once before a load, so that the load itself never waits.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
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
from efcp.sandbox.proxy import SandboxTables, TablesUnreadableError
from efcp.sip.uri import UriError, parse

Name = tuple[str, int | None, str]
"""Host, port or None, transport."""
LookUp = Callable[[str, int | None, str], tuple[str, ...]]

AT_ONCE = 8
LIMIT_S = 10.0


class Names:
    """The addresses of the names in the rows that were loaded last."""

    def __init__(self, look_up: LookUp, limit_s: float = LIMIT_S) -> None:
        self._look_up = look_up
        self._limit_s = limit_s
        self._found: dict[Name, tuple[str, ...]] = {}

    def look_up(self, rows: Iterable[DestinationRow]) -> None:
        """Look up all names in `rows`; those without an answer in time have no address."""
        threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="sandbox-names")
        pending = {name: threads.submit(self._look_up, *name) for name in dict.fromkeys(_names(rows))}
        wait(pending.values(), timeout=self._limit_s)
        threads.shutdown(wait=False, cancel_futures=True)
        self._found = {
            name: answer.result()
            for name, answer in pending.items()
            if answer.done() and not answer.cancelled() and answer.exception() is None
        }

    def resolve(self, host: str, port: int | None, transport: str) -> tuple[str, ...]:
        """The addresses that were found for a name; empty for none."""
        return self._found.get((host, port, transport), ())


def _names(rows: Iterable[DestinationRow]) -> Iterator[Name]:
    for row in rows:
        try:
            uri = parse((row.destination or "").rstrip(" "))
        except UriError:
            continue
        if any(character.isalpha() for character in uri.host) and ":" not in uri.host:
            yield uri.host, uri.port, uri.effective_transport


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


OF_THE_PANEL = SandboxTables(dispatcher_rows, dialplan_rules, "the panel's own database", flush)
"""The tables in the panel's own database."""
