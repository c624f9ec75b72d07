"""Who calls the API: a bearer token with a role and limits. Sessions are not accepted, so nothing needs CSRF.

Calls are throttled in each process of the panel, in memory: counting in the database would make each read a
write, and would let anyone without a token have rows stored.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from efcp.accounts import tokens
from efcp.accounts.models import ApiToken
from efcp.accounts.roles import PERMISSIONS, Role
from efcp.api.problems import ProblemError
from efcp.audit.services import Actor, started_writes
from efcp.modules.registry import find_module
from efcp.proxy_headers import client_address

PANEL = "panel"
"""What belongs to no module: proxies, audit, users and so on."""


@dataclass(slots=True)
class Bucket:
    """Calls that may still be made now, and when that was."""

    calls: float
    at: float


class Throttle:
    """At most `burst` calls at once and `rate` a second by key; the newest `keys` keys are remembered."""

    def __init__(
        self, burst: int, rate: float, keys: int = 4096, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.burst = burst
        self.rate = rate
        self._keys = keys
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._lock = Lock()

    def wait(self, key: str, calls: int = 1) -> float:
        """Seconds until so many calls may be made; 0 where they may, and then they are counted."""
        with self._lock:
            now = self._clock()
            bucket = self._buckets.setdefault(key, Bucket(self.burst, now))
            self._buckets.move_to_end(key)
            bucket.calls = min(self.burst, bucket.calls + (now - bucket.at) * self.rate)
            bucket.at = now
            while len(self._buckets) > self._keys:
                self._buckets.popitem(last=False)
            if bucket.calls < calls or not bucket.calls:
                return (max(calls, 1) - bucket.calls) / self.rate
            bucket.calls -= calls
            return 0.0


CALLS = Throttle(burst=200, rate=50)
"""By token."""
FAILURES = Throttle(burst=20, rate=0.5)
"""Unknown tokens, by client address."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The token of a request, with what it permits now."""

    token: ApiToken
    role: Role
    actor: Actor

    @property
    def sets(self) -> list[int]:
        """The only sets that it may see and change; empty for all."""
        return list(self.token.sets)

    def may(self, permission: str) -> bool:
        """Whether its role permits something."""
        return permission in PERMISSIONS[self.role]

    def require_set(self, setid: int) -> None:
        """Raise ProblemError for a set that the token is not good for."""
        if self.sets and setid not in self.sets:
            raise _forbidden("outside_token", f"This token is not good for set {setid}.")


class Bearer(HttpBearer):
    """Permits an operation to tokens whose role has `permission`, and which are good for its `module`.

    A token that is limited to sets is good for operations that go `by_set`, and for those of other modules.
    """

    def __init__(self, permission: str, module: str, *, by_set: bool) -> None:
        super().__init__()
        self.permission = permission
        self.module = module
        self.by_set = by_set

    def __call__(self, request: HttpRequest) -> Caller:
        """The caller. Raises ProblemError: 401, 403 or 429."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise _unknown("Send the header Authorization: Bearer with a token of the panel.")
        return self.authenticate(request, secret.strip())

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        """The caller whose secret is `token`. Raises ProblemError: 401, 403 or 429."""
        address = client_address(request)
        _slow_down(FAILURES.wait(address, 0))
        found = tokens.find_token(token)
        if found is None or found.is_over or (found.owner is not None and not found.owner.is_active):
            _slow_down(FAILURES.wait(address))
            raise _unknown("The token is unknown, expired or revoked.")
        # For the log of requests.
        request.api_token_owner, request.api_token_name = found.actor_name, found.name  # type: ignore[attr-defined]
        _slow_down(CALLS.wait(str(found.pk)))
        self._check(found, address)
        tokens.note_use(found, address, timezone.now())
        actor = Actor(found.actor_name, address, started_writes(request), found.name)
        return Caller(found, tokens.role_of(found), actor)

    def _check(self, token: ApiToken, address: str) -> None:
        if token.networks and not tokens.is_in_networks(address, token.networks):
            raise _forbidden("address", "This token is not good from your address.")
        if token.owner is not None and token.owner.must_change_password:
            raise _forbidden("password_must_be_changed", "Its owner has to choose a new password first.")
        if self.permission not in PERMISSIONS[tokens.role_of(token)]:
            raise _forbidden("role", f"This needs {self.permission}, which the token's role does not permit.")
        if token.modules and self.module not in token.modules:
            raise _forbidden("outside_token", f"This token is not good for the module {self.module}.")
        module = find_module(self.module)
        if token.sets and not self.by_set and (module is None or module.has_sets):
            raise _forbidden("outside_token", "This token is good for certain sets only.")


def caller_of(request: HttpRequest) -> Caller:
    """The caller of a request that was let through."""
    caller: Any = request.auth  # type: ignore[attr-defined]
    if not isinstance(caller, Caller):
        raise TypeError("The operation has no Bearer.")
    return caller


def _slow_down(wait: float) -> None:
    if wait > 0:
        headers = {"Retry-After": str(int(wait) + 1)}
        raise ProblemError(429, "throttled", "Too many calls. Wait, then go on.", headers=headers)


def _unknown(detail: str) -> ProblemError:
    return ProblemError(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="EFCP"'})


def _forbidden(code: str, detail: str) -> ProblemError:
    return ProblemError(403, code, detail)
