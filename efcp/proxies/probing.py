"""Whether a proxy checks an active destination by probes, as far as that is known.

ds_list tells neither the probe mode of a destination nor the proxy's ds_probing_mode. What is known comes
from the proxy's reports (a probe fails for an active destination only where it is always probed), from the
probe mode that it is known to have loaded, and from what an administrator says of the proxy.
"""

from datetime import UTC, datetime
from enum import Enum

from efcp.proxies.models import KnownDestination, ProbingRule, ProxyContact, State
from efcp.proxies.selectors import WatchedProxy
from efcp.proxies.snapshot import Reports
from efcp.proxies.switches import PROBE_ANSWERED, PROBE_FAILED, Switch, switches

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_COMPLETED = "DB data loading successfully completed"


class Check(Enum):
    """Whether an active destination is probed."""

    CHECKED = "checked"
    UNCHECKED = "never checked"
    UNKNOWN = "check unknown"

    @property
    def look(self) -> str:
        """The look of a chip for it."""
        return {Check.CHECKED: "checked", Check.UNCHECKED: "unchecked"}.get(self, "maybe-checked")


def check_of(watched: WatchedProxy, probe_mode: int | None, always_probed: bool) -> Check:
    """Whether `watched` probes an active destination of this loaded probe mode; see KnownDestination."""
    contact, rule = watched.contact, ProbingRule(watched.proxy.probing)
    probes = contact.probes_seen_at is not None
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
    probes = watched.contact.probes_seen_at is not None
    if rule is ProbingRule.NONE and not probes:
        return f"An administrator says that {name} probes nothing."
    if known.always_probed:
        return "A probe failed while it was active, and the proxy has not loaded since."
    if watched.contact.probes_all:
        return f"{name} reported probes of destinations that are not marked for it: ds_probing_mode is 1."
    if rule is ProbingRule.ALL:
        return f"An administrator says that {name} probes every destination (ds_probing_mode 1)."
    loaded = "Its probe mode in the proxy's memory is not known."
    if known.probe_mode is not None:
        loaded = (
            f"It was loaded with probe mode “{'always' if known.probe_mode == 1 else 'only while probing'}”."
        )
    if rule is ProbingRule.MARKED:
        return f"An administrator says that {name} probes those of probe mode “always”. {loaded}"
    if known.probe_mode == 1:
        return f"{loaded} {name} reported {'probes' if probes else 'no probe'} since its start."
    return f"{loaded} Whether {name} probes all, nobody has said: MI does not tell ds_probing_mode."


def live_check(watched: WatchedProxy, known: KnownDestination) -> Check | None:
    """The same of a destination as it is known; None of one that is not active, or not known to be now."""
    if not watched.fresh or known.state != State.ACTIVE:
        return None
    return check_of(watched, known.probe_mode, known.always_probed)


def note_probes(contact: ProxyContact, reports: Reports | None, *, reloaded: bool) -> None:
    """Keep what the proxy reports of its probes; the contact is changed, not saved.

    A reload may have changed what is always probed: only later reports tell it anew.
    """
    mine = KnownDestination.objects.filter(proxy_id=contact.proxy_id)
    if reloaded:
        mine.filter(always_probed=True).update(always_probed=False)
    if reports is None or reports.switches is None or not reports.switches.reports:
        return
    read_at = contact.probes_read_at or _LONG_AGO
    loaded_at = _last_load(reports)
    for each in switches(reports.switches.reports):
        if each.reason in {PROBE_ANSWERED, PROBE_FAILED} and each.at >= read_at:
            _note(contact, each, min(each.at, reports.asked_at), is_loaded=each.at >= loaded_at)
    contact.probes_read_at = min(reports.switches.reports[-1].at, reports.asked_at)


def forget_probes(contact: ProxyContact) -> None:
    """Forget what was known of probes before the proxy started; the contact is changed, not saved."""
    contact.probes_seen_at = contact.probes_read_at = None
    contact.probes_all = False
    contact.modes_digest = ""
    mine = KnownDestination.objects.filter(proxy_id=contact.proxy_id)
    mine.update(probe_mode=None, always_probed=False, probe_answered_at=None)


def _note(contact: ProxyContact, switch: Switch, at: datetime, *, is_loaded: bool) -> None:
    """One probe: `is_loaded` where the destination was not loaded again since."""
    of_one = KnownDestination.objects.filter(
        proxy_id=contact.proxy_id, setid=switch.setid, uri_key=switch.uri_key, occurrence=0
    )
    contact.probes_seen_at = max(contact.probes_seen_at or at, at)
    if switch.reason == PROBE_ANSWERED:
        of_one.update(probe_answered_at=at)
    elif is_loaded:
        of_one.update(always_probed=True)
        contact.probes_all = contact.probes_all or of_one.filter(probe_mode=0).exists()


def _last_load(reports: Reports) -> datetime:
    """When the table was loaded last, by the proxy's clock."""
    ring = reports.loads.reports if reports.loads else ()
    loads = [report.at for report in ring if report.text.startswith(_COMPLETED)]
    return loads[-1] if loads else _LONG_AGO
