"""How people may sign in: the settings of passkeys, OpenID Connect providers and a proxy's header."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit

from efcp.environment import ConfigurationError, Settings

ROLES = ("viewer", "operator", "administrator")
_KEY = re.compile(r"[a-z][a-z0-9]{0,19}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_OTHER_HEADERS = ("authorization", "cookie", "host", "content-", "x-forwarded-", "hx-", "origin", "referer")
_WIDEST = {4: 16, 6: 64}
"""The shortest prefixes of networks whose every machine may name the user."""

Network = IPv4Network | IPv6Network
RolesByGroup = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """One OpenID Connect provider. `roles` are pairs of a group and the role that it gives."""

    key: str
    label: str
    issuer: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    groups_claim: str
    roles: RolesByGroup

    def __repr__(self) -> str:
        return f"OidcProvider({self.key}, {self.issuer})"


@dataclass(frozen=True, slots=True)
class RemoteUser:
    """The headers by which a trusted proxy names the user and, divided by commas or bars, the groups."""

    header: str
    groups_header: str
    roles: RolesByGroup


@dataclass(frozen=True, slots=True)
class SignIn:
    """How people prove who they are.

    After `confirm_minutes` (0 for never) they confirm it again before they touch users, tokens and proxies'
    secrets, and before they set the states of more than `confirm_states` destinations. Only `local_users`
    sign in with a password, if any are named.
    """

    passkey_only: bool
    confirm_minutes: int
    confirm_states: int
    providers: tuple[OidcProvider, ...]
    local_users: tuple[str, ...]
    remote_user: RemoteUser | None


def sign_in_settings(settings: Settings, trusted: tuple[Network, ...]) -> SignIn:
    """Read and check them; raise ConfigurationError for the first bad one."""
    providers = tuple(_provider(settings, key) for key in _words(settings.text("EFCP_OIDC")))
    remote_user = _remote_user(settings, trusted)
    local_users = _words(settings.text("EFCP_LOCAL_USERS"))
    if local_users and not (providers or remote_user):
        raise ConfigurationError("EFCP_LOCAL_USERS needs EFCP_OIDC or EFCP_REMOTE_USER_HEADER.")
    return SignIn(
        passkey_only=settings.flag("EFCP_PASSKEY_SIGN_IN", default=False),
        confirm_minutes=settings.integer("EFCP_CONFIRM_MINUTES", 60, 0, 24 * 60),
        confirm_states=settings.integer("EFCP_CONFIRM_STATES", 100, 1, 1_000_000),
        providers=providers,
        local_users=local_users,
        remote_user=remote_user,
    )


def _provider(settings: Settings, key: str) -> OidcProvider:
    if not _KEY.fullmatch(key) or key == "proxy":
        raise ConfigurationError(f"EFCP_OIDC contains {key!r}; a key has lower-case letters and digits only.")
    prefix = f"EFCP_OIDC_{key.upper()}_"
    client_id = settings.text(f"{prefix}CLIENT_ID")
    if not client_id:
        raise ConfigurationError(f"{prefix}CLIENT_ID is not set.")
    scopes = tuple(settings.text(f"{prefix}SCOPES", "openid profile email").split())
    if "openid" not in scopes:
        raise ConfigurationError(f"{prefix}SCOPES must contain openid.")
    roles = settings.text(f"{prefix}ROLES") or settings.text("EFCP_OIDC_ROLES")
    return OidcProvider(
        key=key,
        label=settings.text(f"{prefix}LABEL", key.capitalize()),
        issuer=_issuer(f"{prefix}ISSUER", settings.text(f"{prefix}ISSUER")),
        client_id=client_id,
        client_secret=settings.text(f"{prefix}CLIENT_SECRET"),
        scopes=scopes,
        groups_claim=settings.text(f"{prefix}GROUPS_CLAIM", "groups"),
        roles=_roles("EFCP_OIDC_ROLES", roles),
    )


def _issuer(name: str, issuer: str) -> str:
    try:
        parts = urlsplit(issuer)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(f"{name} is {issuer!r}; it must look like https://login.example.org/realm.")
    is_local = host in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise ConfigurationError(f"{name} must begin with https://.")
    return issuer


def _roles(name: str, text: str) -> RolesByGroup:
    """Pairs from `group=role, group=role`; a group may hold an equals sign, as in a directory."""
    pairs = []
    for item in filter(None, (part.strip() for part in text.split(";" if ";" in text else ","))):
        group, _equals, role = item.rpartition("=")
        if not group.strip() or role.strip() not in ROLES:
            raise ConfigurationError(
                f"{name} contains {item!r}; it takes group=role, with a role of {', '.join(ROLES)}."
            )
        pairs.append((group.strip(), role.strip()))
    if not pairs:
        raise ConfigurationError(f"{name} is not set: no group would have a role.")
    return tuple(pairs)


def _remote_user(settings: Settings, trusted: tuple[Network, ...]) -> RemoteUser | None:
    header = settings.text("EFCP_REMOTE_USER_HEADER")
    if not header:
        return None
    groups = settings.text("EFCP_REMOTE_GROUPS_HEADER", "X-Remote-Groups")
    for name, value in (("EFCP_REMOTE_USER_HEADER", header), ("EFCP_REMOTE_GROUPS_HEADER", groups)):
        if not _HEADER.fullmatch(value) or value.lower().startswith(_OTHER_HEADERS):
            raise ConfigurationError(
                f"{name} is {value!r}; it must be a header of its own, as X-Remote-User."
            )
    if header.lower() == groups.lower():
        raise ConfigurationError(
            "EFCP_REMOTE_GROUPS_HEADER must be another header than EFCP_REMOTE_USER_HEADER."
        )
    _refuse_forgery(settings, trusted)
    roles = _roles("EFCP_REMOTE_ROLES", settings.text("EFCP_REMOTE_ROLES"))
    return RemoteUser(header, groups, roles)


def _refuse_forgery(settings: Settings, trusted: tuple[Network, ...]) -> None:
    """Raise ConfigurationError where others than a proxy of the site's could name the user."""
    if not settings.is_set("EFCP_TRUSTED_PROXIES") or not trusted:
        raise ConfigurationError(
            "EFCP_REMOTE_USER_HEADER could be forged: name the proxy that sets it in EFCP_TRUSTED_PROXIES."
        )
    for network in trusted:
        if network.prefixlen < _WIDEST[network.version]:
            raise ConfigurationError(
                f"EFCP_REMOTE_USER_HEADER could be forged: {network} in EFCP_TRUSTED_PROXIES is too wide."
            )


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (part.strip() for part in text.split(",")))))
