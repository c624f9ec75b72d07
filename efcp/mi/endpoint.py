"""Where a proxy's MI is: the address as people write it, checked once."""

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, urlsplit

from efcp.mi.authority import tls_context
from efcp.mi.reach import ANYWHERE, Reach

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
        raise EndpointError("The MI address has a blank or a control character in it.")
    if not url.lower().startswith(("http://", "https://")):
        raise EndpointError("The MI address must begin with http:// or https://.")
    if "#" in url:
        raise EndpointError("The MI address must not have a fragment (a part after “#”).")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise EndpointError("The MI address is not a valid URL.") from None
    if "@" in parts.netloc:
        raise EndpointError(
            "The MI address must not hold a user name or password: use the fields for them instead."
        )
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
        raise EndpointError("The path in the MI address has a character that must be percent-encoded.")
    return target


def _check_credentials(username: str, password: str) -> None:
    if ":" in username:
        raise EndpointError("The MI user name must not have a colon: basic auth can't carry it.")
    if _CONTROL.search(username) or _CONTROL.search(password):
        raise EndpointError("The MI user name and password must not have control characters.")
