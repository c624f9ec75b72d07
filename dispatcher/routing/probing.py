"""Who is probed in a round, and what an answer means (dispatch.c: ds_check_timer, ds_options_callback)."""

from dataclasses import dataclass

from dispatcher.routing.destinations import DestinationState, LiveDestination, LiveSet

TIMEOUT_CODE = 408
"""The code that tm ends a transaction with when no final answer came."""
_FIRST_FINAL_CODE = 200


@dataclass(frozen=True, slots=True)
class ProbingSettings:
    """The module's parameters.

    `threshold` is ds_probing_threshhold (failures), `everything` ds_probing_mode 1, `reply_codes` the
    options_reply_codes, `sets` the ds_probing_list, which names no set where all are to be probed.
    """

    threshold: int = 1
    everything: bool = False
    reply_codes: frozenset[int] = frozenset()
    sets: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Probe:
    """One OPTIONS under way. `always` was so when it was sent, and counts when the answer comes."""

    setid: int
    uri: str
    socket: str | None
    always: bool


@dataclass(frozen=True, slots=True)
class ProbeVerdict:
    """What an answer means: back to active, one failure, both one after the other, or nothing."""

    recovers: bool
    fails: bool


def due(sets: list[LiveSet], settings: ProbingSettings) -> list[Probe]:
    """The probes of one round, in the order of sending."""
    return [
        Probe(live.setid, each.loaded.uri, each.loaded.socket, each.loaded.probe_always)
        for live in sets
        if not settings.sets or live.setid in settings.sets
        for each in live.destinations
        if is_due(each, settings)
    ]


def is_due(destination: LiveDestination, settings: ProbingSettings) -> bool:
    """Whether a round asks this destination: no inactive one, else what is probing or always probed."""
    state = destination.health.state
    if state is DestinationState.INACTIVE:
        return False
    return settings.everything or destination.loaded.probe_always or state is DestinationState.PROBING


def verdict(probe: Probe, code: int | None, settings: ProbingSettings) -> ProbeVerdict:
    """What the answer `code` to `probe` means; None is no answer, and so is a provisional one.

    200 and the chosen codes are good. Anything else is bad, but only for an always-probed destination. A 408
    among the chosen codes is both: the destination becomes active, and then counts a failure.
    """
    code = TIMEOUT_CODE if code is None or code < _FIRST_FINAL_CODE else code
    good = code == 200 or code in settings.reply_codes
    bad = not good or code == TIMEOUT_CODE
    return ProbeVerdict(recovers=good, fails=bad and (probe.always or settings.everything))
