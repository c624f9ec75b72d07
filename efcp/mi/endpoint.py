"""Where a proxy's MI is: the address as people write it, what it may lead to, and whom TLS trusts there.

Three parts. `Reach` says which addresses may be connected to: the networks a site permits, and never link-
local addresses (clouds hand secrets to their machines there), other metadata addresses, or anything that is
not the address of one machine; an IPv6 address that carries an IPv4 address is judged by both.
`tls_context` trusts the system's authorities or the site's own. `Endpoint` checks the whole address once.
All of it is pure: nothing is opened.
"""

import base64
import functools
import ipaddress
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import SplitResult, urlsplit

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
                return "link-local and metadata addresses are not allowed"
            if each.is_multicast or each.is_unspecified or each == ip_address("255.255.255.255"):
                return "not the address of a single host"
        judged = next(_carried(address), address)
        if self.networks and not any(judged in network for network in self.networks):
            return f"{judged} is outside the allowed networks"
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


MAX_PEM = 65_536
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates_in(text: str) -> str:
    """The PEM certificates in `text`, without what stands around them.

    Raises ValueError, with a sentence for people, where there is none, one can't be read, or there is a key.
    """
    if "PRIVATE KEY-----" in text:
        raise ValueError("This contains a private key. Enter only certificates.")
    found = _CERTIFICATE.findall(text)
    if not found:
        raise ValueError("No PEM certificate found (-----BEGIN CERTIFICATE----- to its END line).")
    pem = "\n".join(found) + "\n"
    tls_context(pem)
    return pem


@functools.lru_cache(maxsize=256)
def tls_context(authority: str) -> ssl.SSLContext:
    """How a server is verified: by the PEM certificates in `authority` alone, or the system's where empty.

    Raises ValueError, with a sentence for people, where they can't be read.
    """
    try:
        return ssl.create_default_context(cadata=authority or None)
    except (ssl.SSLError, ValueError, TypeError) as error:
        reason = getattr(error, "reason", None) or "it is not ASCII"
        raise ValueError(
            f"The certificate can't be read ({str(reason).replace('_', ' ').lower()})."
        ) from None


_DEFAULT_PORTS = {"http": 80, "https": 443}
_CONTROL_OR_SPACE = re.compile(r"[\x00-\x20\x7f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URI_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]*")
_HOST_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class EndpointError(ValueError):
    """An MI address that can't be used; the message is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An MI address such as `http://10.0.0.1:8888/mi`, with a user name and password for basic auth if any.

    `reach` limits what may be connected to; `authority` are the PEM certificates that verify the server of an
    https address, in place of the system's.

    Raises EndpointError for an address that can't be used. `host` is ASCII and without brackets, `target`
    the path with the query, `tls` whether the scheme is https. The password is in no repr.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    reach: Reach = field(default=ANYWHERE, repr=False, compare=False)
    authority: str = field(default="", repr=False)
    host: str = field(init=False, repr=False, compare=False)
    port: int = field(init=False, repr=False, compare=False)
    target: str = field(init=False, repr=False, compare=False)
    tls: bool = field(init=False, repr=False, compare=False)

    @classmethod
    def parse(
        cls,
        text: str,
        username: str = "",
        password: str = "",
        reach: Reach = ANYWHERE,
        authority: str = "",
    ) -> Self:
        """Read an address as typed: blanks around it do not count. `reach` refuses IP addresses."""
        endpoint = cls(text.strip(), username, password, reach, authority)
        if refusal := reach.refusal_of_host(endpoint.host):
            raise EndpointError(f"The MI address can't be used: {refusal}.")
        return endpoint

    def __post_init__(self) -> None:
        parts = _split(self.url)
        _check_credentials(self.username, self.password)
        _check_authority(self.authority)
        object.__setattr__(self, "host", _host(parts))
        object.__setattr__(self, "port", _port(parts))
        object.__setattr__(self, "target", _target(parts))
        object.__setattr__(self, "tls", parts.scheme == "https")

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authorization(self) -> str | None:
        """The value of the Authorization header (RFC 7617, UTF-8), None without credentials."""
        return f"Basic {self._token()}" if self.username or self.password else None

    def redact(self, text: str) -> str:
        """`text` without the password, in case a server sends it back."""
        if not self.password:
            return text
        return text.replace(self._token(), "***").replace(self.password, "***")

    def _token(self) -> str:
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


def _check_authority(authority: str) -> None:
    try:
        tls_context(authority)
    except ValueError as error:
        raise EndpointError(str(error)) from None


def _split(url: str) -> SplitResult:
    if not url:
        raise EndpointError("The MI address is missing.")
    if _CONTROL_OR_SPACE.search(url):
        raise EndpointError("The MI address contains a space or control character.")
    if not url.lower().startswith(("http://", "https://")):
        raise EndpointError("The MI address must begin with http:// or https://.")
    if "#" in url:
        raise EndpointError("The MI address must not have a fragment (a part after “#”).")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise EndpointError("The MI address is not a valid URL.") from None
    if "@" in parts.netloc:
        raise EndpointError("Enter user name and password in their own fields, not in the MI address.")
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname
    if not host:
        raise EndpointError("The MI address has no host.")
    if ":" in host:
        return _ipv6(host)
    try:
        ascii_host = host.encode("idna").decode("ascii")
    except UnicodeError:
        raise EndpointError("The host in the MI address is not a valid name.") from None
    if not _HOST_NAME.fullmatch(ascii_host):
        raise EndpointError("The host in the MI address is not a valid name.")
    return ascii_host


def _ipv6(host: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise EndpointError("The host in the MI address is not a valid IPv6 address.") from None


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise EndpointError("The port in the MI address must be a number from 1 to 65535.")
    return port or _DEFAULT_PORTS[parts.scheme]


def _target(parts: SplitResult) -> str:
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    if not _URI_CHARACTERS.fullmatch(target):
        raise EndpointError("The path in the MI address contains a character that must be percent-encoded.")
    return target


def _check_credentials(username: str, password: str) -> None:
    if ":" in username:
        raise EndpointError("The MI user name must not contain a colon (basic authentication).")
    if _CONTROL.search(username) or _CONTROL.search(password):
        raise EndpointError("The MI user name and password must not contain control characters.")


MAX_CHARACTERS = 200


def excerpt(endpoint: Endpoint, text: str) -> str:
    """The start of `text`, fit to be shown: one printable line of MAX_CHARACTERS, without the password."""
    start = endpoint.redact(text)[: 2 * MAX_CHARACTERS]
    printable = "".join(character if character.isprintable() else " " for character in start)
    line = " ".join(printable.split())
    return line if len(line) <= MAX_CHARACTERS else f"{line[:MAX_CHARACTERS]}…"
