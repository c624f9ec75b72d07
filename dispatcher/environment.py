"""What the form's checks need to know of the world: read from the database, or looked up, when asked."""

from collections.abc import Sequence
from functools import partial

from dispatcher import names, selectors
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from dispatcher.validation import FormEnvironment, SetOfRow
from efcp.editing.findings import unstorable_characters
from efcp.proxies.models import KnownDestination
from efcp.proxies.selectors import watched_proxies
from efcp.proxies.set_counts import set_counts


def form_environment(*, look_up_names: bool = True) -> FormEnvironment:
    """The environment of a form in the panel; each part is read only when a check asks for it."""
    return FormEnvironment(
        resolve=resolve if look_up_names else not_looked_up,
        known_sockets=known_sockets,
        unstorable=partial(unstorable_characters, "dispatcher"),
        set_of=set_of_row,
        rows_of_set=rows_of_set,
        duplicate=selectors.same_destination,
    )


def resolve(host: str, port: int | None, transport: str) -> tuple[str, ...] | None:
    """The addresses of a name, looked up as the proxy does; None where no answer came in time."""
    lookup = names.look_up(host, port, transport)
    return None if lookup.outcome is names.Outcome.NO_ANSWER else lookup.addresses


def not_looked_up(_host: str, _port: int | None, _transport: str) -> tuple[str, ...]:
    """Take a name as known, while another field than the destination is being typed."""
    return ("192.0.2.1",)


def known_sockets() -> Sequence[str]:
    """The listeners that proxies showed in their lists, without repetition, at most 100."""
    listed = KnownDestination.objects.exclude(socket="").values_list("socket", flat=True)
    return list(listed.distinct().order_by("socket")[:100])


def set_of_row(setid: int) -> SetOfRow:
    """The sums over a set after a reload, with the states of the answering proxy where fewest are active."""
    fresh = [each for each in watched_proxies() if each.fresh]
    on_proxies = set_counts(fresh, [setid])[setid] if fresh else ()
    worst = min(on_proxies, key=lambda each: (not each.loaded, each.active), default=None)
    reference = worst.watched.proxy if worst else None
    after = selectors.after_reload([setid], reference)
    totals = after.totals.get(setid)
    if totals is None:
        return SetOfRow(rows=0, weight=0, active=0)
    unloadable = frozenset(after.left_out)
    proxy = reference.name if reference else ""
    return SetOfRow(totals.rows, totals.weight, totals.active, unloadable, proxy)


def rows_of_set(setid: int) -> Sequence[DestinationRow]:
    """The rows of a set by id, at most 1,000: shares of more don't fit in a sentence anyway."""
    rows = Destination.objects.filter(setid=setid).order_by("id")
    return [DestinationRow.of(row) for row in rows[:1000]]
