"""What a set loses with a destination, told before it is deleted."""

from dataclasses import dataclass

from dispatcher import selectors
from dispatcher.models import Destination
from dispatcher.shares import MAX_WEIGHT, number_of, percent_text, percentage
from efcp.proxies.selectors import live_states, watched_proxies
from efcp.sip.uri import uri_key


@dataclass(frozen=True, slots=True)
class Loss:
    """The set's rows before, and the percentage of calls that goes; None where weights overflow 16 bits."""

    rows: int
    share: float | None
    no_active_left: bool

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


def loss_of(row: Destination) -> Loss:
    """What the set of `row` loses; states are those of the first proxy that answers, else the table's."""
    reference = next((each.proxy for each in watched_proxies() if each.fresh), None)
    after = selectors.after_reload([row.setid], reference)
    totals = after.totals[row.setid]
    held = live_states([(row.setid, uri_key(row.destination))]) if reference else {}
    in_memory = held.get((row.setid, uri_key(row.destination)), {}).get(reference.pk if reference else 0, ())
    state_is_active = in_memory[0].state == "active" if in_memory else row.state not in (1, 2)
    active = state_is_active and row.pk not in after.left_out
    return Loss(
        rows=totals.rows,
        share=_share(row, active, totals),
        no_active_left=active and totals.active == 1,
    )


def _share(row: Destination, active: bool, totals: selectors.SetTotals) -> float | None:
    if totals.weight > MAX_WEIGHT:
        return None
    if not active:
        return 0.0
    return percentage(number_of(row.weight), totals.active_weight, totals.active)
