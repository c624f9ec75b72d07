"""The ceremonies of passkeys and security keys (WebAuthn), by python-fido2 and django-allauth.

The challenge travels with the page in a signed field, bound to its purpose and user: a visitor who hasn't
signed in leaves nothing in the database. That it counts once is up to `factors.use_key`.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core import signing
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.request import split_domain_port

from efcp.accounts import factors
from efcp.accounts.factors import FactorRefusedError
from efcp.accounts.models import User
from efcp.audit.services import Actor

LASTS_S = 600
"""Seconds for which a challenge is good."""

REFUSED = "The key was refused. Try again, or use another one."
_SALT = "efcp.accounts.passkeys"
_MOST_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What a page gives the browser, and gets back beside the key's answer."""

    options: dict[str, Any]
    state: str


def are_possible(request: HttpRequest) -> bool:
    """Whether browsers offer passkeys on this page: a host name, over TLS or on this machine."""
    host = split_domain_port(request.get_host())[0]
    is_local = host == "localhost" or host.endswith(".localhost")
    return is_local or (request.is_secure() and any(map(str.isalpha, host)) and ":" not in host)


def sign_in_alone(request: HttpRequest) -> bool:
    """Whether a passkey may replace the password on this page."""
    return settings.PASSKEY_SIGN_IN and are_possible(request)


def begin_adding(request: HttpRequest, user: User, alone: bool) -> Ceremony:
    """Begin to add a key; `alone` for one that signs in without a password, and so verifies its user."""
    from allauth.mfa.webauthn.internal import auth
    from fido2.webauthn import ResidentKeyRequirement, UserVerificationRequirement

    options, state = _server(request).register_begin(
        user=auth.build_user_payload(user),
        credentials=auth.get_credentials(user),
        resident_key_requirement=ResidentKeyRequirement.REQUIRED
        if alone
        else ResidentKeyRequirement.DISCOURAGED,
        user_verification=UserVerificationRequirement.REQUIRED
        if alone
        else UserVerificationRequirement.PREFERRED,
        extensions={"credProps": True},
    )
    return Ceremony(dict(options), _signed(state, f"add {user.pk}"))


def add(request: HttpRequest, user: User, name: str, actor: Actor) -> list[str]:
    """Keep the key whose answer was sent; returns recovery codes as `add_key`. Raises FactorRefusedError."""
    credential, state, _issued_at = _sent(request, f"add {user.pk}")
    try:
        data = _server(request).register_complete(state, credential)
    except (ValueError, TypeError, KeyError) as error:
        raise FactorRefusedError(REFUSED) from error
    return factors.add_key(user, name, credential, data.counter, actor)


def begin_use(request: HttpRequest, user: User | None) -> Ceremony:
    """Begin to use a key of the user's; of None, any key that signs in alone."""
    from allauth.mfa.webauthn.internal import auth
    from fido2.webauthn import UserVerificationRequirement

    options, state = _server(request).authenticate_begin(
        credentials=auth.get_credentials(user) if user else [],
        user_verification=UserVerificationRequirement.PREFERRED
        if user
        else UserVerificationRequirement.REQUIRED,
    )
    return Ceremony(dict(options), _signed(state, f"use {user.pk if user else 'alone'}"))


def use(request: HttpRequest, user: User) -> str:
    """Use the key whose answer was sent, as `user`'s second factor; returns "passkey".

    Raises FactorRefusedError.
    """
    return _use(request, user, f"use {user.pk}")


def use_alone(request: HttpRequest, user: User) -> str:
    """Use the key whose answer was sent, in place of a password. Raises FactorRefusedError."""
    return _use(request, user, "use alone")


def claimed_user(request: HttpRequest) -> User | None:
    """The active user whom the sent answer names; nothing is verified yet."""
    from allauth.account.utils import url_str_to_user_pk
    from fido2.utils import websafe_decode

    try:
        answer = _json(request)
        handle = websafe_decode(answer["response"]["userHandle"]).decode()
        return User.objects.filter(pk=url_str_to_user_pk(handle), is_active=True).first()
    except (FactorRefusedError, ValueError, TypeError, KeyError, OverflowError):
        return None


def _use(request: HttpRequest, user: User, purpose: str) -> str:
    credential, state, issued_at = _sent(request, purpose)

    def find(keys: QuerySet[Authenticator]) -> tuple[Authenticator, int, float]:
        from fido2.webauthn import AuthenticationResponse

        by_id = {}
        for key in keys:
            known = key.wrap().authenticator_data.credential_data
            by_id[known.credential_id] = (key, known)
        try:
            answer = AuthenticationResponse.from_dict(credential)
            known = [known for _key, known in by_id.values()]
            found = _server(request).authenticate_complete(state, known, answer)
            return by_id[found.credential_id][0], answer.response.authenticator_data.counter, issued_at
        except (ValueError, TypeError, KeyError) as error:
            raise FactorRefusedError(REFUSED) from error

    return factors.use_key(user, find)


def _server(request: HttpRequest) -> Any:
    from fido2.server import Fido2Server
    from fido2.webauthn import PublicKeyCredentialRpEntity

    return Fido2Server(
        PublicKeyCredentialRpEntity(**factors.FactorAdapter().relying_party(request.get_host()))
    )


def _signed(state: dict[str, Any], purpose: str) -> str:
    return signing.dumps([purpose, time.time(), state], salt=_SALT)


def _sent(request: HttpRequest, purpose: str) -> tuple[dict[str, Any], dict[str, Any], float]:
    try:
        of, issued_at, state = signing.loads(request.POST.get("state", ""), salt=_SALT, max_age=LASTS_S)
    except signing.BadSignature:
        raise FactorRefusedError("This page is out of date. Try again.") from None
    if of != purpose:
        raise FactorRefusedError(REFUSED)
    return _json(request), state, issued_at


def _json(request: HttpRequest) -> dict[str, Any]:
    text = request.POST.get("credential", "")
    try:
        sent = json.loads(text) if len(text) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise FactorRefusedError(REFUSED)
    return sent
