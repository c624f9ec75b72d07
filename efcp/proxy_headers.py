"""What a reverse proxy in front of the panel says of a client: its address and scheme.

Only proxies of settings.EFCP_TRUSTED_PROXIES are believed.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class TrustedProxyMiddleware:
    """Drops X-Forwarded-Proto unless it comes from a trusted proxy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        claimed = "HTTP_X_FORWARDED_PROTO" in request.META
        if claimed and not is_trusted_proxy(request.META.get("REMOTE_ADDR", "")):
            del request.META["HTTP_X_FORWARDED_PROTO"]
        return self.get_response(request)


def client_address(request: HttpRequest) -> str:
    """The client's address in its shortest spelling; empty where the server has none (a Unix socket).

    X-Forwarded-For counts only when the peer is one of settings.EFCP_TRUSTED_PROXIES, and then only its
    right-most entry that is no trusted proxy: every entry left of that one is the client's own claim.
    """
    nearest = _parsed(request.META.get("REMOTE_ADDR", ""))
    for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        claimed = _parsed(hop)
        if claimed is None or not _is_trusted(nearest):
            break
        nearest = claimed
    return "" if nearest is None else str(nearest)


def is_trusted_proxy(address: str) -> bool:
    """Whether the peer's `address` is one of settings.EFCP_TRUSTED_PROXIES."""
    return _is_trusted(_parsed(address))


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


def _is_trusted(address: Address | None) -> bool:
    networks: Sequence[Network] = getattr(settings, "EFCP_TRUSTED_PROXIES", ())
    return address is not None and any(address in network for network in networks)
