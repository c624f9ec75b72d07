"""The pages of second factors and sessions: adding and using them, and what administrators require."""

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required, permission_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from efcp.accounts import external, factors, passkeys, policy, services, sessions, signing_in
from efcp.accounts.factors import FactorRefusedError
from efcp.accounts.form_recovery import safe_next
from efcp.accounts.forms import CodeForm, ConfirmForm, KeyForm, PolicyForm
from efcp.accounts.middleware import reachable_before_second_factor
from efcp.accounts.models import User
from efcp.accounts.roles import ADMINISTER, Role
from efcp.accounts.selectors import find_user
from efcp.accounts.signing_in import WrongFactor, recently_confirmed
from efcp.accounts.throttle import Throttled
from efcp.accounts.views import TOO_EARLY, in_words, too_early, welcome
from efcp.audit.services import actor_of
from efcp.forms import form_page
from efcp.sign_in_settings import OidcProvider

_SIGNED = "efcp.accounts.new_app"
_SECRET_LASTS_S = 1800


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
@sensitive_post_parameters()
def second_factor(request: HttpRequest) -> HttpResponse:
    """The second step of signing in: a code, a recovery code or a passkey."""
    target = safe_next(request, request.POST.get("next") or request.GET.get("next") or "")
    if request.user.is_authenticated:
        return HttpResponseRedirect(target)
    user = signing_in.pending_user(request)
    if user is None:
        messages.info(request, "Enter your password first. The code has to follow within 10 minutes.")
        return redirect("accounts:sign-in")
    form = CodeForm(request.POST if request.method == "POST" and "code" in request.POST else None)
    if request.method != "POST" or not ("credential" in request.POST or form.is_valid()):
        return _factor_page(request, user, form, target)
    result = signing_in.add_second_factor(request, user, _use_of(request, user, form))
    if isinstance(result, User):
        return welcome(request, result, target)
    return _refused(result, lambda problem: _factor_page(request, user, form, target, problem))


def _use_of(request: HttpRequest, user: User, form: CodeForm) -> Callable[[], str]:
    """How the sent factor is used: a key's answer, or else a code."""
    if "credential" in request.POST:
        return lambda: passkeys.use(request, user)
    return lambda: factors.use_code(user, form.cleaned_data["code"])


def _refused(result: WrongFactor | Throttled, page: Callable[[str], HttpResponse]) -> HttpResponse:
    """The page again, with why the password, code or key was refused."""
    if isinstance(result, Throttled):
        return too_early(page(TOO_EARLY.format(wait=in_words(result.wait))), result)
    wait = f" Wait {in_words(result.wait_next)} before you try again." if result.wait_next else ""
    response = page(result.text + wait)
    response.status_code = 422
    return response


def _factor_page(
    request: HttpRequest, user: User, form: CodeForm, target: str, problem: str = ""
) -> HttpResponse:
    has = factors.factors_of(user)
    context = {
        "next": target,
        "has": has,
        "problem": problem,
        "time_zone": request.POST.get("time_zone", request.GET.get("time_zone", "")),
        "passkey": passkeys.begin_use(request, user) if has.keys and passkeys.are_possible(request) else None,
    }
    return form_page(request, "accounts/second_factor.html", form, **context)


@require_POST
@login_not_required
@never_cache
def passkey_sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in by a passkey alone, where that is permitted."""
    if not passkeys.sign_in_alone(request):
        raise Http404
    target = safe_next(request, request.POST.get("next", ""))
    user = passkeys.claimed_user(request)
    if user is None or not signing_in.may_sign_in_here(user):
        messages.error(request, "No user who may sign in here has this passkey.")
        return redirect("accounts:sign-in")
    claimed = user
    means = signing_in.check_factor(request, user, lambda: passkeys.use_alone(request, claimed))
    if isinstance(means, str):
        signing_in.begin_session(request, user, "passkey", has_factor=True)
        return welcome(request, user, target)
    text = TOO_EARLY.format(wait=in_words(means.wait)) if isinstance(means, Throttled) else means.text
    messages.error(request, text)
    return redirect("accounts:sign-in")


@require_http_methods(["GET", "HEAD", "POST"])
@reachable_before_second_factor
@never_cache
@sensitive_post_parameters()
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password, a code or a passkey again, then go on to `next`."""
    user = cast(User, request.user)
    target = safe_next(request, request.POST.get("next") or request.GET.get("next") or "")
    by_code = "code" in request.POST or not user.has_usable_password()
    sent = request.POST if request.method == "POST" and "credential" not in request.POST else None
    form = CodeForm(sent) if by_code else ConfirmForm(sent)
    if request.method != "POST" or not ("credential" in request.POST or form.is_valid()):
        return _confirm_page(request, user, form, target)
    if isinstance(form, ConfirmForm) and form.is_bound:
        result = _password_again(request, user, form.cleaned_data["password"])
    else:
        result = signing_in.check_factor(request, user, _use_of(request, user, cast(CodeForm, form)))
    if isinstance(result, str):
        signing_in.confirm(request, result)
        return HttpResponseRedirect(target)
    return _refused(result, lambda problem: _confirm_page(request, user, form, target, problem))


def _password_again(request: HttpRequest, user: User, password: str) -> str | WrongFactor | Throttled:
    checked = signing_in.check_password(request, user.username, password)
    if isinstance(checked, User):
        return "password"
    return checked if isinstance(checked, Throttled) else WrongFactor("Wrong password.", checked.wait_next)


def _confirm_page(
    request: HttpRequest, user: User, form: CodeForm | ConfirmForm, target: str, problem: str = ""
) -> HttpResponse:
    has = factors.factors_of(user)
    context = {
        "next": target,
        "has": has,
        "problem": problem,
        "by_code": isinstance(form, CodeForm),
        "providers": _linked_providers(user),
        "passkey": passkeys.begin_use(request, user) if has.keys and passkeys.are_possible(request) else None,
    }
    return form_page(request, "accounts/confirm.html", form, **context)


def _linked_providers(user: User) -> list[OidcProvider]:
    """Where the user can prove who they are by an account that is linked."""
    if not settings.OIDC_PROVIDERS:
        return []
    keys = {account.provider for account in external.accounts_of(user)}
    return [provider for provider in settings.OIDC_PROVIDERS.values() if provider.key in keys]


@require_safe
@reachable_before_second_factor
def security(request: HttpRequest) -> HttpResponse:
    """The user's own factors and sessions."""
    user = cast(User, request.user)
    context = {
        "has": factors.factors_of(user),
        "sessions": sessions.open_sessions(user, request.session.session_key),
        "keys_possible": passkeys.are_possible(request),
        "passkey_sign_in": settings.PASSKEY_SIGN_IN,
        "required": sessions.MUST_ADD_FACTOR in request.session,
        "providers": settings.OIDC_PROVIDERS.values(),
        "accounts": external.accounts_of(user) if settings.OIDC_PROVIDERS else (),
    }
    return render(request, "accounts/security.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@reachable_before_second_factor
@recently_confirmed
@sensitive_post_parameters()
def add_app(request: HttpRequest) -> HttpResponse:
    """A QR code for an authenticator app, and the form for its first code."""
    user = cast(User, request.user)
    form = CodeForm(request.POST if request.method == "POST" else None)
    secret = _sent_secret(request, user) if request.method == "POST" else None
    if secret is None:
        if request.method == "POST":
            messages.info(request, "This page was out of date. Scan the new QR code.")
            return redirect("accounts:add-app")
        secret = factors.new_app_secret()
    elif form.is_valid():
        try:
            codes = factors.add_app(user, secret, form.cleaned_data["code"], actor_of(request))
        except FactorRefusedError as refused:
            form.add_error("code", str(refused))
        else:
            return _added(request, "Authenticator app added.", codes)
    width, squares = factors.qr_squares(factors.app_address(user, secret))
    context = {
        "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        "signed_secret": signing.dumps([user.pk, secret], salt=_SIGNED),
        "width": width,
        "squares": squares,
    }
    return form_page(request, "accounts/add_app.html", form, **context)


def _sent_secret(request: HttpRequest, user: User) -> str | None:
    try:
        signed = request.POST.get("secret", "")
        of, secret = signing.loads(signed, salt=_SIGNED, max_age=_SECRET_LASTS_S)
    except signing.BadSignature:
        return None
    return str(secret) if of == user.pk else None


@require_http_methods(["GET", "HEAD", "POST"])
@reachable_before_second_factor
@recently_confirmed
def add_key(request: HttpRequest) -> HttpResponse:
    """The form for a new passkey or security key."""
    user = cast(User, request.user)
    form = KeyForm(request.POST if request.method == "POST" else None)
    if not passkeys.are_possible(request):
        return form_page(request, "accounts/add_key.html", form, possible=False)
    if form.is_valid():
        try:
            codes = passkeys.add(request, user, form.cleaned_data["name"], actor_of(request))
        except FactorRefusedError as refused:
            form.add_error(None, str(refused))
        else:
            return _added(request, f"{form.cleaned_data['name']} added.", codes)
    context = {"possible": True, "alone_permitted": settings.PASSKEY_SIGN_IN}
    ceremony = passkeys.begin_adding(request, user, settings.PASSKEY_SIGN_IN)
    return form_page(request, "accounts/add_key.html", form, passkey=ceremony, **context)


def _added(request: HttpRequest, text: str, codes: Sequence[str]) -> HttpResponse:
    request.session.pop(sessions.MUST_ADD_FACTOR, None)
    messages.success(request, text)
    if codes:
        return render(request, "accounts/recovery_codes.html", {"codes": codes})
    return redirect("accounts:security")


@require_POST
@recently_confirmed
def renew_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, shown this once."""
    user = cast(User, request.user)
    if not factors.has_second_factor(user):
        return redirect("accounts:security")
    codes = factors.renew_codes(user, actor_of(request))
    return render(request, "accounts/recovery_codes.html", {"codes": codes})


@require_POST
@recently_confirmed
def remove_factor(request: HttpRequest, factor_id: int) -> HttpResponse:
    """Remove one of the user's own factors, unless their role needs it."""
    user = cast(User, request.user)
    has = factors.factors_of(user)
    if len(has.keys) + (has.app is not None) == 1 and policy.requirements_of(user).needs_factor:
        messages.error(request, "Your role needs a second factor: add another one before you remove this.")
    elif factors.remove_factor(user, min(factor_id, 2**63 - 1), actor_of(request)):
        messages.success(request, "Removed.")
    return redirect("accounts:security")


@require_POST
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    """End one of the user's own sessions."""
    if sessions.end_session(cast(User, request.user), min(session_id, 2**63 - 1)):
        messages.success(request, "Session ended.")
    return redirect("accounts:security")


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End all of the user's sessions but this one."""
    user = services.end_sessions(cast(User, request.user), actor_of(request))
    sessions.keep_session(request, user)
    messages.success(request, "Signed out of all other browsers.")
    return redirect("accounts:security")


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(ADMINISTER, raise_exception=True)
@recently_confirmed
def sign_in_policy(request: HttpRequest) -> HttpResponse:
    """What signing in takes for each role."""
    current = policy.requirements()
    sent = request.POST if request.method == "POST" else None
    forms = {
        role: PolicyForm(
            sent,
            prefix=role.value,
            initial={"needs_factor": of_role.needs_factor, "idle_minutes": of_role.idle_minutes or None},
        )
        for role, of_role in current.items()
    }
    valid = [form.is_valid() for form in forms.values()]
    if sent is not None and all(valid):
        policy.change({role: form.chosen() for role, form in forms.items()}, actor_of(request))
        sessions.keep_session(request, User.objects.get(pk=cast(User, request.user).pk))
        messages.success(request, "Sign-in policy saved.")
        return redirect("accounts:policy")
    rows = [(role, form, counts) for (role, form), counts in zip(forms.items(), _counts(forms), strict=True)]
    status = 422 if any(form.errors for form in forms.values()) else 200
    return render(request, "accounts/policy.html", {"rows": rows}, status=status)


def _counts(roles: Iterable[Role]) -> list[tuple[int, int]]:
    """By role, how many users may sign in, and how many of them have a second factor."""
    secured = set(factors.users_with_a_factor())
    users = list(User.objects.filter(is_active=True).values_list("role", "pk"))
    of_role = {role: [pk for each, pk in users if each == role] for role in roles}
    return [(len(ids), len(secured.intersection(ids))) for ids in of_role.values()]


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(ADMINISTER, raise_exception=True)
@recently_confirmed
def reset_factors(request: HttpRequest, user_id: int) -> HttpResponse:
    """Ask, then remove all factors of a user who lost theirs."""
    user = find_user(user_id)
    if user is None:
        raise Http404
    if request.method != "POST":
        return render(
            request, "accounts/reset_factors.html", {"person": user, "has": factors.factors_of(user)}
        )
    if factors.reset_factors(user, actor_of(request)):
        messages.success(
            request, f"Second factors of {user.username} removed. They are informed at the next sign-in."
        )
    else:
        messages.info(request, f"{user.username} has no second factor.")
    if user == request.user:
        sessions.keep_session(request, User.objects.get(pk=user.pk))
    return redirect("accounts:users")
