"""Whether a proxy checks an active destination by probes, where that is known.

ds_list has neither the probe mode of a destination nor the proxy's ds_probing_mode. What is known comes
from the proxy's reports (a probe fails for an active destination only where it is always probed), from the
probe mode that it is known to have loaded, and from the administrator's setting of the proxy.
"""

from enum import Enum

from efcp.proxies.models import KnownDestination, KnownState, ProbingRule
from efcp.proxies.selectors import WatchedProxy


class Check(Enum):
    """Whether an active destination is probed."""

    CHECKED = "probed"
    UNCHECKED = "not probed"
    UNKNOWN = "probing unknown"

    @property
    def look(self) -> str:
        """The look of a chip for it."""
        return {Check.CHECKED: "checked", Check.UNCHECKED: "unchecked"}.get(self, "maybe-checked")


def check_of(watched: WatchedProxy, probe_mode: int | None, always_probed: bool) -> Check:
    """Whether `watched` probes an active destination of this loaded probe mode; see KnownDestination."""
    contact, rule = watched.contact, ProbingRule(watched.proxy.probing)
    probes = contact.probes_reported_at is not None
    if rule is ProbingRule.NONE and not probes:
        return Check.UNCHECKED
    if always_probed or contact.probes_all or rule is ProbingRule.ALL:
        return Check.CHECKED
    if rule is ProbingRule.MARKED:
        return {0: Check.UNCHECKED, 1: Check.CHECKED}.get(
            -1 if probe_mode is None else probe_mode, Check.UNKNOWN
        )
    return Check.CHECKED if probe_mode == 1 and probes else Check.UNKNOWN


def why_check(watched: WatchedProxy, known: KnownDestination) -> str:
    """From what `check_of` knows it, as a sentence."""
    name, rule = watched.proxy.name, ProbingRule(watched.proxy.probing)
    probes = watched.contact.probes_reported_at is not None
    if rule is ProbingRule.NONE and not probes:
        return f"{name} is configured as: no probing."
    if known.always_probed:
        return "A probe failed while it was active, with no reload since."
    if watched.contact.probes_all:
        return f"{name} reported probes of all destinations: ds_probing_mode is 1."
    if rule is ProbingRule.ALL:
        return f"{name} is configured as: probes all (ds_probing_mode 1)."
    loaded = "Its loaded probe mode is unknown."
    if known.probe_mode is not None:
        loaded = f"Loaded with probe mode “{'always' if known.probe_mode == 1 else 'only while probing'}”."
    if rule is ProbingRule.MARKED:
        return f"{name} is configured as: probes those with probe mode “always”. {loaded}"
    if known.probe_mode == 1:
        return f"{loaded} {name} reported {'probes' if probes else 'no probe'} since its start."
    return f"{loaded} Whether {name} probes all is not configured here: MI doesn't report ds_probing_mode."


def live_check(watched: WatchedProxy, known: KnownDestination) -> Check | None:
    """The same of a destination as it is known; None of one that is not active, or not known to be now."""
    if not watched.fresh or known.state != KnownState.ACTIVE:
        return None
    return check_of(watched, known.probe_mode, known.always_probed)
