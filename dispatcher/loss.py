"""What a set loses with a destination, shown before it is deleted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dispatcher import selectors
from dispatcher.routing.rows import DestinationRow
from dispatcher.shares import MAX_WEIGHT, number_of, percentage
from efcp.figures import percent_text
from efcp.proxies.models import KnownDestination, Proxy
from efcp.proxies.selectors import live_states, watched_proxies
from efcp.proxies.set_counts import listed_names
from efcp.sip.uri import uri_key

MAX_COMPARED = 12
"""Answering proxies among which the worst is found; each costs a query."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The set's rows before, and the percentage of calls that goes; None where weights overflow 16 bits.

    Both the share and whether an active destination is left are those of `proxy`, where it is worst; it is
    empty where no proxy answers, and the table's initial states count. `emptied_on` are all the proxies on
    which none would be left that takes calls.
    """

    rows: int
    share: float | None
    no_active_left: bool
    proxy: str = ""
    emptied_on: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The proxies of which it speaks, for people."""
        return listed_names(self.emptied_on or (self.proxy,)) if self.proxy else ""

    @property
    def last(self) -> bool:
        """Whether the set is empty afterwards."""
        return self.rows <= 1

    @property
    def others(self) -> int:
        """How many destinations are left."""
        return self.rows - 1

    @property
    def share_text(self) -> str:
        """The percentage for people."""
        return percent_text(self.share) if self.share is not None else ""


def loss_of(row: DestinationRow) -> Loss:
    """What the set of `row` loses where it loses most; by the table's states where no proxy answers."""
    fresh = [each.proxy for each in watched_proxies() if each.fresh][:MAX_COMPARED]
    if not fresh:
        return _loss_on(row, None, ())
    key = (row.setid, uri_key(row.destination))
    listed = live_states([key]).get(key, {})
    losses = [_loss_on(row, proxy, listed.get(proxy.pk, ())) for proxy in fresh]
    worst = max(losses, key=lambda each: (each.no_active_left, each.share or 0.0))
    return replace(worst, emptied_on=tuple(each.proxy for each in losses if each.no_active_left))


def _loss_on(row: DestinationRow, proxy: Proxy | None, listed: Sequence[KnownDestination]) -> Loss:
    after = selectors.after_reload([row.setid], proxy)
    totals = after.totals[row.setid]
    state_is_active = listed[0].state == "active" if listed else row.state not in (1, 2)
    active = state_is_active and row.id not in after.left_out
    return Loss(
        rows=totals.rows,
        share=_share(row, active, totals),
        no_active_left=active and totals.active == 1,
        proxy=proxy.name if proxy else "",
    )


def _share(row: DestinationRow, active: bool, totals: selectors.SetTotals) -> float | None:
    if totals.weight > MAX_WEIGHT:
        return None
    if not active:
        return 0.0
    return percentage(number_of(row.weight), totals.active_weight, totals.active)
