"""The way to an OpenID Connect provider and back: to sign in, to link an account, to confirm who one is."""

import time
from dataclasses import astuple
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from efcp.accounts import external, oidc, signing_in
from efcp.accounts.external import NotLetInError
from efcp.accounts.form_recovery import safe_next
from efcp.accounts.middleware import reachable_before_second_factor
from efcp.accounts.models import User
from efcp.accounts.oidc import CONFIRM, LINK, SIGN_IN, Identity, ProviderError, Way
from efcp.accounts.signing_in import recently_confirmed
from efcp.accounts.views import leave, welcome
from efcp.audit.services import actor_of
from efcp.proxy_headers import client_address
from efcp.sign_in_settings import OidcProvider

WAY_LASTS_S = 600
CONFIRMED_WITHIN_S = 300
_COOKIE = "efcp_oidc"
_SALT = "efcp.accounts.oidc"


@require_safe
@login_not_required
@never_cache
def begin(request: HttpRequest, key: str) -> HttpResponse:
    """Send the browser to a provider, to sign in."""
    return _begin(request, key, SIGN_IN)


@require_safe
@reachable_before_second_factor
def begin_confirming(request: HttpRequest, key: str) -> HttpResponse:
    """Send the browser to a provider, which asks for the password again."""
    return _begin(request, key, CONFIRM)


@require_POST
@recently_confirmed
def begin_linking(request: HttpRequest, key: str) -> HttpResponse:
    """Send the browser to a provider, to link the account there to the signed-in user.

    By a page of its own: the content policy lets a form lead to this panel only.
    """
    response = _begin(request, key, LINK)
    page = leave(request, response.headers["Location"])
    page.cookies = response.cookies
    return page


def _begin(request: HttpRequest, key: str, purpose: str) -> HttpResponse:
    provider = _provider(key)
    way = oidc.new_way(key, safe_next(request, request.GET.get("next", "")), purpose)
    try:
        address = oidc.authorization_address(provider, way, _redirect_uri(request, key))
    except ProviderError as error:
        return _refused(request, provider, str(error))
    response = HttpResponseRedirect(address)
    response.set_cookie(
        _COOKIE,
        signing.dumps(astuple(way), salt=_SALT),
        max_age=WAY_LASTS_S,
        path="/cp/accounts/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


@require_safe
@login_not_required
@never_cache
def callback(request: HttpRequest, key: str) -> HttpResponse:
    """Where the provider sends the browser back to."""
    provider = _provider(key)
    try:
        way = _way_back(request, provider)
        code = request.GET.get("code", "")
        identity = oidc.identity_of(provider, way, code[:4096], _redirect_uri(request, key))
        response = _arrived(request, provider, way, identity)
    except NotLetInError as error:
        response = _refused(request, provider, str(error), error.user)
    except ProviderError as error:
        response = _refused(request, provider, str(error))
    response.delete_cookie(_COOKIE, path="/cp/accounts/", samesite="Lax")
    return response


def _arrived(request: HttpRequest, provider: OidcProvider, way: Way, identity: Identity) -> HttpResponse:
    if way.purpose == SIGN_IN:
        roles, address = provider.roles, client_address(request)
        user = external.let_in(provider.key, identity.uid, identity.name, identity.groups, roles, address)
        # The provider has asked for the factors that it wants.
        signing_in.begin_session(request, user, provider.label, has_factor=True)
        request.session[external.ID_TOKEN] = [
            provider.key,
            identity.id_token if len(identity.id_token) < 4096 else "",
        ]
        return welcome(request, user, way.target)
    if not request.user.is_authenticated:
        raise NotLetInError("Your session ended meanwhile. Sign in again.")
    user = request.user
    if way.purpose == LINK:
        external.link(user, identity, actor_of(request))
        messages.success(request, f"Your account at {provider.label} is linked.")
        return redirect("accounts:security")
    if external.user_of(provider.key, identity.uid) != user:
        raise NotLetInError(f"You signed in at {provider.label} as somebody else.", user)
    if identity.signed_in_at is None or time.time() - identity.signed_in_at > CONFIRMED_WITHIN_S:
        raise NotLetInError(f"{provider.label} did not ask for your password again.", user)
    signing_in.confirm(request, provider.label)
    return HttpResponseRedirect(way.target)


def _way_back(request: HttpRequest, provider: OidcProvider) -> Way:
    """The way that this browser set out on. Raises ProviderError."""
    try:
        way = Way(*signing.loads(request.COOKIES.get(_COOKIE, ""), salt=_SALT, max_age=WAY_LASTS_S))
    except (signing.BadSignature, TypeError):
        raise ProviderError("This sign-in was not started in this browser, or took too long.") from None
    if way.provider != provider.key or not constant_time_compare(way.state, request.GET.get("state", "")):
        raise ProviderError("This sign-in was not started in this browser (wrong state).")
    if request.GET.get("iss", provider.issuer) != provider.issuer:  # RFC 9207
        raise ProviderError("The answer comes from another issuer.")
    if "code" not in request.GET:
        reason = "".join(filter(str.isprintable, request.GET.get("error", "")))[:50]
        raise ProviderError(f"{provider.label} did not sign you in{f' ({reason})' if reason else ''}.")
    return way


def _refused(
    request: HttpRequest, provider: OidcProvider, text: str, user: User | None = None
) -> HttpResponse:
    signing_in.record_failure(request, user, text, f"at {provider.label}")
    messages.error(request, f"{provider.label}: {text}")
    return redirect("accounts:security" if request.user.is_authenticated else "accounts:sign-in")


@require_POST
@recently_confirmed
def unlink(request: HttpRequest, account_id: int) -> HttpResponse:
    """Remove the link to an account at a provider."""
    if external.unlink(cast(User, request.user), min(account_id, 2**31 - 1), actor_of(request)):
        messages.success(request, "Link removed.")
    else:
        messages.error(request, "The link stays: without a password you could not sign in any more.")
    return redirect("accounts:security")


def _provider(key: str) -> OidcProvider:
    provider: OidcProvider | None = settings.OIDC_PROVIDERS.get(key)
    if provider is None:
        raise Http404
    return provider


def _redirect_uri(request: HttpRequest, key: str) -> str:
    path = reverse("accounts:oidc-callback", args=[key])
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)
