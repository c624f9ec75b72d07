"""API tokens: creating and revoking them, finding the token of a request, what it permits.

A secret is 256 random bits, so that a plain digest of it is enough: there is nothing to guess. Each write has
its audit record, which names the token and never holds the secret.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from django.db import transaction
from django.db.models import Q
from django.utils.crypto import constant_time_compare

from efcp.accounts.models import ApiToken, User
from efcp.accounts.roles import Role
from efcp.audit.services import Actor, Subject, record

MARK = "efcp_"
"""What every secret begins with, so that it is recognized where it must not be."""
MOST_TOKENS = 100
"""Valid tokens of one user, and of all service accounts."""
USE_NOTED_EVERY = timedelta(minutes=1)
"""The last use is stored no more often, so that reading stays reading."""
SHOWN = 200
_ROLES = tuple(Role)


class TooManyTokensError(Exception):
    """The owner has MOST_TOKENS valid tokens; nothing was written."""


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """What a token is good for. Empty `modules`, `sets` or `networks` are no limit; networks are CIDR."""

    role: Role
    modules: tuple[str, ...] = ()
    sets: tuple[int, ...] = ()
    networks: tuple[str, ...] = ()


def roles_up_to(role: str) -> tuple[Role, ...]:
    """The roles that permit no more than `role` does."""
    return _ROLES[: _ROLES.index(Role(role)) + 1]


def role_of(token: ApiToken) -> Role:
    """The token's role, or its owner's where that permits less by now."""
    own = Role(token.role)
    return own if token.owner is None or own in roles_up_to(token.owner.role) else Role(token.owner.role)


@transaction.atomic
def create_token(
    name: str,
    owner: User | None,
    limits: TokenLimits,
    expires_at: datetime | None,
    now: datetime,
    actor: Actor,
) -> tuple[ApiToken, str]:
    """Store a new token of `owner`, None for a service account; returns it and its secret, shown only now.

    Raises TooManyTokensError, and ValueError for a role above the owner's.
    """
    if owner is not None:
        owner = User.objects.select_for_update().get(pk=owner.pk)
        if limits.role not in roles_up_to(owner.role):
            raise ValueError("A token's role can't be above its owner's.")
    valid = Q(expires_at=None) | Q(expires_at__gt=now)
    if ApiToken.objects.filter(valid, owner=owner, revoked_at=None).count() >= MOST_TOKENS:
        raise TooManyTokensError
    prefix = secrets.token_hex(6)
    secret = f"{MARK}{prefix}_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        name=name,
        owner=owner,
        prefix=prefix,
        digest=_digest(secret),
        created_by=actor.name,
        created_at=now,
        expires_at=expires_at,
        **{key: list(value) if isinstance(value, tuple) else value for key, value in asdict(limits).items()},
    )
    record(actor, "add", _subject(token), after=_for_audit(token))
    return token, secret


@transaction.atomic
def revoke_token(token: ApiToken, now: datetime, actor: Actor) -> None:
    """End the token at once; nothing is recorded where it was revoked before."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
        record(actor, "revoke", _subject(token), before=_for_audit(token))


def find_token(secret: str) -> ApiToken | None:
    """The token of this secret, with its owner; None where there is none. It may be over."""
    prefix, _, rest = secret.removeprefix(MARK).partition("_")
    if not secret.startswith(MARK) or not rest or len(secret) > 100:
        return None
    token = ApiToken.objects.select_related("owner").filter(prefix=prefix[:12]).first()
    return token if token and constant_time_compare(token.digest, _digest(secret)) else None


def is_in_networks(address: str, networks: Sequence[str]) -> bool:
    """Whether a client's address is in one of the networks."""
    if not address:
        return False
    client = ip_address(address)
    client = getattr(client, "ipv4_mapped", None) or client
    return any(client in ip_network(each, strict=False) for each in networks)


def note_use(token: ApiToken, address: str, now: datetime) -> None:
    """Store when and from where the token was used, if that was stored long enough ago."""
    noted = token.last_used_at
    if noted is None or token.last_address != address or now - noted > USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_address=address)


def tokens_of(owner: User | None) -> list[ApiToken]:
    """The newest SHOWN tokens of a user, or of all service accounts."""
    return list(ApiToken.objects.filter(owner=owner).select_related("owner")[:SHOWN])


def tokens_of_others(user: User) -> list[ApiToken]:
    """The newest SHOWN tokens of other users."""
    others = ApiToken.objects.exclude(owner=user).exclude(owner=None)
    return list(others.select_related("owner")[:SHOWN])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _subject(token: ApiToken) -> Subject:
    whose = token.owner.username if token.owner else "service account"
    return Subject("token", str(token.pk), f"{token.name} ({whose})")


def _for_audit(token: ApiToken) -> dict[str, object]:
    return {
        "role": token.role,
        "modules": token.modules,
        "sets": token.sets,
        "networks": token.networks,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
    }
