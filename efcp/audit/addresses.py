"""Which address a request came from."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(request: HttpRequest) -> str:
    """The client's address in its shortest spelling; empty where the server tells none (a Unix socket).

    X-Forwarded-For counts only when the peer is one of settings.EFCP_TRUSTED_PROXIES, and then only its
    right-most entry that is no trusted proxy: every entry left of that one is the client's own claim.
    """
    peer = _parsed(request.META.get("REMOTE_ADDR", ""))
    if peer is None:
        return ""
    trusted: Sequence[Network] = getattr(settings, "EFCP_TRUSTED_PROXIES", ())
    nearest = peer
    for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        if not _is_in(nearest, trusted):
            break
        claimed = _parsed(hop)
        if claimed is None:
            break
        nearest = claimed
    return str(nearest)


def _parsed(text: str) -> Address | None:
    """The address in `text`, which may carry a port as some proxies add it; None where there is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
