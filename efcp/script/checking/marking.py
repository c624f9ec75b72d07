"""ds_mark_dst: how a destination is taken out, and whether it ever comes back."""

from collections.abc import Iterator

from efcp.script.checking.overview import Overview, Site
from efcp.script.findings import Finding, Severity

_STATES = frozenset({"i", "p", "a", "0", "1", "2"})
_PROBING = frozenset({"p", "2"})
_THRESHOLD = ("ds_probing_threshold", "ds_probing_threshhold")


def without_state(overview: Overview) -> Iterator[Finding]:
    """ds_mark_dst() marks the destination inactive (w_ds_mark_dst in dispatcher.c)."""
    for site in overview.named("ds_mark_dst"):
        state = site.text(0)
        if state == "":
            text = "Without a state the destination becomes inactive, and only a person brings it back. Write"
            said = f'{text} ds_mark_dst("p") to have it probed, or ds_mark_dst("i") if you mean it.'
            yield Finding(Severity.WARNING, "mark-without-state", site.place, said)
        elif is_swapped(site):
            text = "The state is the first argument, the partition the second: the proxy does not start."
            said = f'{text} Write ds_mark_dst("{site.text(1)}", "{site.text(0)}").'
            yield Finding(Severity.ERROR, "mark-swapped", site.place, said)
        elif state is not None and state.lower() not in _STATES:
            text = (
                f'There is no state "{state[:20]}": nothing is marked, and the destination gets more calls.'
            )
            said = f'{text} Write "p" (probing), "i" (inactive) or "a" (active).'
            yield Finding(Severity.WARNING, "mark-state-unknown", site.place, said)


def is_swapped(site: Site) -> bool:
    """Whether a call of ds_mark_dst names the partition before the state."""
    state, partition = site.text(0), site.text(1)
    if site.call.name != "ds_mark_dst" or not state or not partition:
        return False
    return state.lower() not in _STATES and partition.lower() in _STATES


def never_probed(overview: Overview) -> Iterator[Finding]:
    """A destination marked as probing comes back by a good probe only, and there are none unless
    ds_ping_interval is set: it is 0 by default (dispatcher.c)."""
    interval = overview.parameter("dispatcher", "ds_ping_interval")
    if (interval is None and not overview.is_whole) or (
        interval is not None and interval.value not in (0, "")
    ):
        return
    also = (interval.place,) if interval else ()
    for site in overview.named("ds_mark_dst"):
        if _is_probing(site):
            text = "The destination never comes back: ds_ping_interval is 0, so it is not probed. Write"
            said = f'{text} modparam("dispatcher", "ds_ping_interval", 10).'
            yield Finding(Severity.ERROR, "mark-never-probed", site.place, said, also)


def _is_probing(site: Site) -> bool:
    return (site.text(0) or "").lower() in _PROBING


def low_threshold(overview: Overview) -> Iterator[Finding]:
    """A threshold of 1: one failure takes a destination out. 3 is the default (dispatcher.c)."""
    threshold = overview.parameter("dispatcher", *_THRESHOLD)
    if threshold is None or threshold.value != 1:
        return
    text = "One failed call or lost probe takes a destination out, until a probe succeeds. Unset, it takes 3."
    yield Finding(
        Severity.HINT, "threshold-low", threshold.place, f"{text} Write 2 or 3, unless you mean it."
    )


CHECKS = (without_state, never_probed, low_threshold)
