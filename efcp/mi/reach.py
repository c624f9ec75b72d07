"""Which addresses may be connected to: networks that a site permits, and some never. Pure: nothing is opened.

What never may: link-local addresses, where clouds tell their machines secrets, the other addresses for that,
and what is no address of one machine. An IPv6 address that carries an IPv4 address is judged by both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA = frozenset(
    ip_address(text)
    for text in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
    )
)
"""Beside 169.254.169.254 and the like, which are link-local."""

_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ip_network("::/96")


@dataclass(frozen=True, slots=True)
class Reach:
    """The networks that may be connected to; none stands for all but those that never may."""

    networks: tuple[Network, ...] = ()

    def refusal(self, text: str) -> str:
        """Why the IP address in `text` may not be connected to, as the end of a sentence; empty if it may."""
        address = ip_address(text.partition("%")[0])
        for each in (address, *_carried(address)):
            if each.is_link_local or each in METADATA:
                return "link-local and metadata addresses are never connected to"
            if each.is_multicast or each.is_unspecified or each == ip_address("255.255.255.255"):
                return "it is no address of one machine"
        judged = next(_carried(address), address)
        if self.networks and not any(judged in network for network in self.networks):
            return f"{judged} is in none of the networks that this panel may connect to"
        return ""

    def refusal_of_host(self, host: str) -> str:
        """The same for the host of an address; a name's addresses are judged when they are connected to."""
        try:
            return self.refusal(host)
        except ValueError:
            return ""


ANYWHERE = Reach()


def _carried(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses in an IPv6 one: mapped, compatible, by NAT64, 6to4 or Teredo."""
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield address.teredo[1]
    is_loopback = address in (ip_address("::"), ip_address("::1"))
    if any(address in network for network in _NAT64) or (address in _COMPATIBLE and not is_loopback):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
