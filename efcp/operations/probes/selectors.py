"""Where a destination can be probed from, and the outcome of its last probes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils import timezone

from dispatcher.models import Destination, NameLookup
from efcp.mi.endpoint import ANYWHERE
from efcp.operations.probes.models import ProbeRun
from efcp.operations.probes.sending import TRANSPORTS
from efcp.proxies.models import KnownDestination
from efcp.proxies.selectors import WatchedProxy
from efcp.sip import address
from efcp.sip.options import MODULE_FROM, may_stand_in_request
from efcp.sip.uri import SipUri, UriError, parse, uri_key

SHOWN = 5
MOST_ADDRESSES = 40
_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}

MEANINGS = {
    200: "Alive.",
    401: "Requires authentication.",
    403: "Refused.",
    404: "Responds; user not found.",
    405: "Method not allowed.",
    407: "Requires authentication.",
    408: "Timed out waiting for another server.",
    480: "Known user, currently unavailable.",
    483: "Too many hops: a routing loop, or Max-Forwards was used up.",
    500: "Internal server error.",
    503: "Service unavailable.",
}
"""What a code means for people; RFC 3261, 21."""

UNLESS_LISTED = "Proxies count it as a failure unless it is in options_reply_codes."


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """An address that a probe may go to, and whose word it is: a proxy's name, or empty for this machine."""

    proxy: str
    address: str
    port: int

    @property
    def key(self) -> str:
        """For a form."""
        return f"{self.proxy}|{self.address}|{self.port}"

    @property
    def label(self) -> str:
        """For people."""
        whose = f"as resolved by {self.proxy}" if self.proxy else "as resolved here"
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}, {whose}"


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """How a destination can be probed; `problem` is why it can't be."""

    transport: str = ""
    targets: tuple[ProbeTarget, ...] = ()
    problem: str = ""


def probing(row: Destination, watched: Sequence[WatchedProxy]) -> ProbePlan:
    """Where the destination of `row` may be probed: addresses of proxies' lists, and those looked up here."""
    uri = _sendable(row.destination)
    if isinstance(uri, str):
        return ProbePlan(problem=uri)
    transport = uri.effective_transport
    if transport not in TRANSPORTS:
        return ProbePlan(problem=f"The panel can't send over {transport}.")
    port = uri.port or _PORTS[transport]
    known = dict.fromkeys((*_listed(row, watched, port), *_own(row, uri, port)))
    if not known:
        return ProbePlan(transport, problem="No address known yet, neither from a proxy nor by DNS here.")
    targets = [each for each in known if not ANYWHERE.refusal(each.address)]
    if not targets:
        refusal = ANYWHERE.refusal(next(iter(known)).address)
        return ProbePlan(transport, problem=f"Sending to this address is not allowed: {refusal}.")
    return ProbePlan(transport, tuple(targets)[:MOST_ADDRESSES])


def _sendable(destination: str) -> SipUri | str:
    """The URI, or why it can't be sent to."""
    text = destination.rstrip(" ")
    try:
        uri = parse(text)
    except UriError as error:
        return f"A proxy can't send to this URI: {error.reason}"
    if uri.scheme not in {"sip", "sips"} or not may_stand_in_request(text):
        return "This URI can't be used in a request."
    return uri


def _listed(row: Destination, watched: Sequence[WatchedProxy], port: int) -> Iterator[ProbeTarget]:
    """The addresses that proxies have, in the order in which they use them."""
    by_pk = {each.proxy.pk: each.proxy for each in watched}
    known = KnownDestination.objects.filter(
        proxy__in=by_pk, setid=row.setid, uri_key=uri_key(row.destination.rstrip(" "))
    ).order_by("proxy__name", "occurrence")
    for proxy_id, partition, addresses in known.values_list("proxy_id", "partition", "addresses"):
        proxy = by_pk[proxy_id]
        for listed in addresses if partition == proxy.partition else ():
            host, _, own_port = listed.rpartition(":")
            numeric = _numeric(host)
            if numeric:
                yield ProbeTarget(proxy.name, numeric, int(own_port) if own_port not in {"", "0"} else port)


def _own(row: Destination, uri: SipUri, port: int) -> Iterator[ProbeTarget]:
    numeric = _numeric(uri.host)
    if numeric:
        yield ProbeTarget("", numeric, port)
        return
    lookup = NameLookup.objects.filter(uri_key=uri_key(row.destination.rstrip(" "))).first()
    for each in lookup.addresses if lookup else ():
        yield ProbeTarget("", each, port)


def _numeric(host: str) -> str | None:
    return address.ipv4(host) or address.ipv6(host) or address.c_library_ipv4(host)


def last_from(proxy: str) -> str:
    """The From of the last probe with this proxy's address, else the module's own default."""
    latest = ProbeRun.objects.filter(proxy=proxy).values_list("from_uri", flat=True).first()
    return latest or MODULE_FROM


@dataclass(frozen=True, slots=True)
class ProbeLine:
    """A probe as a page shows it."""

    probe: ProbeRun
    is_open: bool

    @property
    def is_lost(self) -> bool:
        """Whether its process ended before it did."""
        return self.probe.ended_at is None and not self.is_open

    @property
    def is_good(self) -> bool:
        """Whether a proxy takes the answer for a good one in any case."""
        return self.probe.code == 200

    @property
    def meaning(self) -> str:
        """What the code means."""
        code = self.probe.code
        if code is None or self.is_good:
            return MEANINGS[200] if self.is_good else ""
        return f"{MEANINGS.get(code, '')} {UNLESS_LISTED}".strip()


def last_probes(row: Destination) -> list[ProbeLine]:
    """The last few probes of the destination, the newest first."""
    probes = ProbeRun.objects.filter(setid=row.setid, uri_key=uri_key(row.destination.rstrip(" ")))[:SHOWN]
    now = timezone.now()
    return [ProbeLine(each, each.ended_at is None and each.deadline >= now) for each in probes]
