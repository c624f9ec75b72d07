"""What the sandbox reads of OpenSIPS's tables, and the one thing that it may write."""

from collections.abc import Sequence

from django.conf import settings
from django.db import close_old_connections, connection

from dialplan.models import Rule as RuleRow
from dialplan.translation.rules import Rule
from dispatcher.models import Destination
from dispatcher.routing.memory import UnsavedState
from dispatcher.routing.rows import Row
from efcp.proxies.locking import retried_on_lock

MAX_ROWS = 200_000


def dispatcher_rows() -> Sequence[Row]:
    """The rows of `dispatcher` in the order in which a proxy gets them."""
    close_old_connections()
    columns = (
        "setid",
        "destination",
        "socket",
        "state",
        "probe_mode",
        "weight",
        "priority",
        "attrs",
        "description",
        "id",
    )
    rows = Destination.objects.order_by("id").values_list(*columns)[:MAX_ROWS]
    return [Row(*row) for row in rows]


def dialplan_rules() -> Sequence[Rule]:
    """The rules of `dialplan` in the order in which a proxy gets them; disabled ones are not asked for."""
    names = (
        "id",
        "dpid",
        "pr",
        "match_op",
        "match_exp",
        "match_flags",
        "subst_exp",
        "repl_exp",
        "timerec",
        "disabled",
        "attrs",
    )
    rows = RuleRow.objects.order_by("id").values(*names)[:MAX_ROWS]
    return [Rule(**row) for row in rows]


@retried_on_lock
def flush(states: Sequence[UnsavedState]) -> int:
    """Write changed states into the trial's table, as persistent_state does; on a site nothing is written."""
    if not settings.CONFIGURATION.trial:
        return 0
    written = 0
    with connection.cursor() as cursor:
        for each in states:
            cursor.execute(
                "UPDATE dispatcher SET state = %s WHERE setid = %s AND destination = %s",
                [int(each.state), each.setid, each.uri],
            )
            written += cursor.rowcount
    return written
