"""Signing in and out, one's own password and time zone, the users' pages, and the page for an invalid form
token.
"""

from dataclasses import asdict
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required, permission_required
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import REASON_BAD_ORIGIN
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from efcp.accounts import passkeys, preferences, services, signing_in, time_zones
from efcp.accounts.external import provider_sign_out
from efcp.accounts.factors import users_with_a_factor
from efcp.accounts.form_recovery import (
    NOTICE,
    FormRecovery,
    form_is_kept,
    keep_form,
    page_of,
    recover_form,
    safe_next,
)
from efcp.accounts.forms import (
    NewPasswordForm,
    NewUserForm,
    OwnPasswordForm,
    PreferencesForm,
    SignInForm,
    TimeZoneForm,
    UserForm,
)
from efcp.accounts.middleware import reachable_before_password_change
from efcp.accounts.models import User
from efcp.accounts.roles import ADMINISTER, Role
from efcp.accounts.selectors import find_user, user_page
from efcp.accounts.services import LastAdministratorError, UserGoneError, UserNameTakenError
from efcp.accounts.sessions import keep_session, remember_browser
from efcp.accounts.signing_in import FactorNeeded, WrongPassword, recently_confirmed
from efcp.accounts.throttle import Throttled
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.services import actor_of
from efcp.forms import form_page

WRONG = "Wrong user name or password."
WRONG_NOW_WAIT = "Wrong user name or password. Wait {wait} before you try again."
TOO_EARLY = "Too many failed attempts. Wait {wait}, then try again."
OUT_OF_DATE = "This page was out of date, so you are not signed in yet. Try again."


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
@sensitive_post_parameters()
def sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page; a right password leads to `next`."""
    target = safe_next(request, request.POST.get("next") or request.GET.get("next") or "")
    if request.method != "POST":
        if request.user.is_authenticated:
            return HttpResponseRedirect(target)
        return _sign_in_page(request, SignInForm(), target)
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _sign_in_page(request, form, target)
    result = signing_in.sign_in(request, form.cleaned_data["username"], form.cleaned_data["password"])
    if isinstance(result, User):
        return welcome(request, result, target)
    if isinstance(result, FactorNeeded):
        fields = {"next": target, "time_zone": request.POST.get("time_zone", "")[:64]}
        return HttpResponseRedirect(reverse("accounts:second-factor") + "?" + urlencode(fields))
    return _refusal(request, form, target, result)


def welcome(request: HttpRequest, user: User, target: str) -> HttpResponse:
    """Where a user goes who has just signed in: to `target`, or to their own first page."""
    time_zones.follow_browser(user, request.POST.get("time_zone", ""))
    # No page was requested: the user's own choice.
    start = preferences.start_url(user) if target == reverse("home") else target
    response = HttpResponseRedirect(start)
    remember_browser(response, user.username)
    return response


@sensitive_variables("form")
def _refusal(
    request: HttpRequest, form: SignInForm, target: str, result: WrongPassword | Throttled
) -> HttpResponse:
    if isinstance(result, WrongPassword):
        text = WRONG_NOW_WAIT if result.wait_next else WRONG
        form.add_error(None, text.format(wait=in_words(result.wait_next)))
        return _sign_in_page(request, form, target)
    form.add_error(None, TOO_EARLY.format(wait=in_words(result.wait)))
    return too_early(_sign_in_page(request, form, target), result)


def too_early(response: HttpResponse, throttled: Throttled) -> HttpResponse:
    """Answer 429 for an attempt that came too early."""
    response.status_code = 429
    response.headers["Retry-After"] = str(throttled.wait)
    return response


def _sign_in_page(request: HttpRequest, form: SignInForm, target: str) -> HttpResponse:
    context = {
        "next": target,
        "form_is_kept": form_is_kept(request),
        "providers": settings.OIDC_PROVIDERS.values(),
        "local_users": settings.LOCAL_USERS,
        "passkey": passkeys.begin_use(request, None) if passkeys.sign_in_alone(request) else None,
    }
    return form_page(request, "accounts/sign_in.html", form, **context)


def in_words(seconds: int) -> str:
    """So many seconds, for people."""
    return "1 second" if seconds == 1 else f"{seconds} seconds"


@require_POST
@login_not_required
@reachable_before_password_change
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session; also where it had ended already."""
    target = provider_sign_out(request)
    signing_in.sign_out(request)
    return leave(request, target) if target else redirect("accounts:sign-in")


def leave(request: HttpRequest, target: str) -> HttpResponse:
    """A page that leads to `target`, which may be elsewhere; for the answer to a form."""
    response = render(request, "accounts/leave.html", {"target": target})
    response.headers["Refresh"] = f"0; url={target}"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@reachable_before_password_change
@never_cache
@sensitive_post_parameters()
def change_password(request: HttpRequest) -> HttpResponse:
    """One's own password, asked for the current one; the other sessions end with the change."""
    user = cast(User, request.user)
    form = OwnPasswordForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_valid() and _current_password_is_right(request, user, form):
        changed = services.change_own_password(user, form.cleaned_data["new_password"], actor_of(request))
        keep_session(request, changed)
        messages.success(request, "Password changed. Your other sessions were signed out.")
        return redirect("home")
    return form_page(request, "accounts/password.html", form, first=user.must_change_password)


def _current_password_is_right(request: HttpRequest, user: User, form: OwnPasswordForm) -> bool:
    """Check it at the same pace as a sign-in: who found an open browser could guess here as well."""
    result = signing_in.check_password(request, user.username, form.cleaned_data["current_password"])
    if isinstance(result, User):
        return True
    wait = result.wait if isinstance(result, Throttled) else result.wait_next
    text = TOO_EARLY if isinstance(result, Throttled) else "Wrong current password."
    form.add_error("current_password", text.format(wait=in_words(wait)))
    return False


@require_http_methods(["GET", "HEAD", "POST"])
def own_preferences(request: HttpRequest) -> HttpResponse:
    """Theme, density, page size and start page of this user."""
    user = cast(User, request.user)
    current = asdict(preferences.preferences_of(user))
    form = PreferencesForm(request.POST if request.method == "POST" else None, initial=current)
    if form.is_valid():
        preferences.choose(user, form.chosen(), actor_of(request))
        messages.success(request, "Preferences saved.")
        return redirect("accounts:preferences")
    status = 422 if form.errors else 200
    return render(request, "accounts/preferences.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def time_zone(request: HttpRequest) -> HttpResponse:
    """The zone in which all pages show times to this user, and reads those that they type."""
    user = cast(User, request.user)
    form = TimeZoneForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_valid():
        time_zones.choose(user, form.cleaned_data["time_zone"], actor_of(request))
        messages.success(request, f"Time zone set to {user.time_zone or 'UTC'}.")
        return redirect("home")
    return form_page(request, "accounts/time_zone.html", form)


@require_POST
def browser_time_zone(request: HttpRequest) -> HttpResponse:
    """Keep the zone that a script found the browser to be in, for the next pages."""
    time_zones.follow_browser(cast(User, request.user), request.POST.get("time_zone", ""))
    return HttpResponse(status=204)


@never_cache
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What is shown instead of Django's page when a form's token is missing or of another session.

    That happens to honest people who signed in or out in another tab; the sign-in form then only starts
    again. Typed fields are kept where the browser's own Origin header, which Django has checked before the
    token, says that the form is this panel's.
    """
    if request.path == reverse("accounts:sign-in"):
        return _sign_in_again(request)
    forged = "Origin" not in request.headers or reason.startswith(REASON_BAD_ORIGIN.partition("%")[0])
    kept = not forged and request.method == "POST" and keep_form(request) is FormRecovery.KEPT
    context = {"kept": kept, "page": page_of(request) if kept else reverse("home")}
    return render(request, "accounts/csrf_failure.html", context, status=403)


def _sign_in_again(request: HttpRequest) -> HttpResponse:
    target = safe_next(request, request.POST.get("next", ""))
    if request.user.is_authenticated:
        messages.info(request, f"You are already signed in as {request.user.get_username()}.")
        return HttpResponseRedirect(target)
    form = SignInForm(initial={"username": request.POST.get("username", "")[:64]})
    context = {"form": form, "next": target, "form_is_kept": form_is_kept(request), "notice": OUT_OF_DATE}
    return render(request, "accounts/sign_in.html", context, status=403)


LAST_ADMINISTRATOR = (
    "{name} is the last administrator who can sign in."
    " Make another user an administrator first, so that somebody can still manage the panel."
)
GONE = "This user has been removed. Nothing was changed."


@require_safe
@permission_required(ADMINISTER, raise_exception=True)
def users(request: HttpRequest) -> HttpResponse:
    """All users by name."""
    page = user_page(request.GET.get("page", ""))
    return render(request, "accounts/users.html", {"page": page, "secured": set(users_with_a_factor())})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(ADMINISTER, raise_exception=True)
@recently_confirmed
@sensitive_post_parameters("new_password", "repeated_password")
def add_user(request: HttpRequest) -> HttpResponse:
    """The form for a new user."""
    if request.method != "POST":
        return _add_page(request, _recovered_into(NewUserForm(user=User()), request))
    form = NewUserForm(request.POST, user=User())
    if form.is_valid():
        values = form.cleaned_data
        try:
            user = services.add_user(
                values["username"], Role(values["role"]), values["new_password"], actor_of(request)
            )
        except UserNameTakenError:
            form.add_error("username", "This name is taken (names are not case-sensitive).")
        else:
            messages.success(
                request, f"User {user.username} added. They must change the password at the first sign-in."
            )
            return redirect("accounts:users")
    return _add_page(request, form)


def _add_page(request: HttpRequest, form: Form) -> HttpResponse:
    return form_page(request, "accounts/add_user.html", form)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(ADMINISTER, raise_exception=True)
@recently_confirmed
def edit_user(request: HttpRequest, user_id: int) -> HttpResponse:
    """The form for a user's role and whether they may sign in."""
    user = _find(user_id)
    if request.method != "POST":
        form: Form = UserForm(initial={"role": user.role, "is_active": user.is_active})
        return _edit_page(request, _recovered_into(form, request), user)
    form = UserForm(request.POST)
    if form.is_valid():
        role, is_active = Role(form.cleaned_data["role"]), form.cleaned_data["is_active"]
        try:
            services.change_user(user_id, role, is_active, actor_of(request), token_in(request))
        except LastAdministratorError:
            form.add_error(None, LAST_ADMINISTRATOR.format(name=user.username))
        except StaleFormError as stale:
            return _edit_page(request, form, _find(user_id), stale)
        except UserGoneError:
            return _gone(request)
        else:
            messages.success(request, f"User {user.username} saved.")
            return redirect("accounts:users")
    return _edit_page(request, form, user)


def _edit_page(
    request: HttpRequest, form: Form, user: User, stale: StaleFormError | None = None
) -> HttpResponse:
    return form_page(request, "accounts/edit_user.html", form, person=user, stale=stale)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(ADMINISTER, raise_exception=True)
@recently_confirmed
@sensitive_post_parameters()
def set_password(request: HttpRequest, user_id: int) -> HttpResponse:
    """The form for a new password of another user, which they must change; for one's own there is another."""
    user = _find(user_id)
    if user.pk == request.user.pk:
        return redirect("accounts:password")
    form = NewPasswordForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_valid():
        try:
            password = form.cleaned_data["new_password"]
            services.set_password(user_id, password, actor_of(request), token_in(request))
        except UserGoneError:
            return _gone(request)
        except StaleFormError as stale:
            context = {"person": _find(user_id), "stale": stale}
            return form_page(request, "accounts/user_password.html", form, **context)
        messages.success(
            request, f"Password for {user.username} set. They must change it at the next sign-in."
        )
        return redirect("accounts:users")
    return form_page(request, "accounts/user_password.html", form, person=user)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(ADMINISTER, raise_exception=True)
@recently_confirmed
def delete_user(request: HttpRequest, user_id: int) -> HttpResponse:
    """Ask, then delete the user."""
    if request.method != "POST":
        user = _find(user_id)
        return render(request, "accounts/delete_user.html", {"person": user})
    try:
        user = services.delete_user(user_id, actor_of(request), token_in(request))
    except UserGoneError:
        return _gone(request)
    except StaleFormError as stale:
        context = {"person": _find(user_id), "stale": stale}
        return render(request, "accounts/delete_user.html", context, status=409)
    except LastAdministratorError:
        user = _find(user_id)
        context = {"person": user, "error": LAST_ADMINISTRATOR.format(name=user.username)}
        return render(request, "accounts/delete_user.html", context, status=422)
    messages.success(request, f"User {user.username} removed. The change log keeps their actions.")
    return redirect("accounts:users")


def _find(user_id: int) -> User:
    user = find_user(user_id)
    if user is None:
        raise Http404
    return user


def _gone(request: HttpRequest) -> HttpResponse:
    messages.info(request, GONE)
    return redirect("accounts:users")


def _recovered_into(form: Form, request: HttpRequest) -> Form:
    """The form, filled with what was typed before the session ended if there is any."""
    recovered = recover_form(request)
    if recovered is None:
        return form
    messages.info(request, NOTICE)
    form.initial = {name: recovered.get(name) for name in form.fields}
    return form
