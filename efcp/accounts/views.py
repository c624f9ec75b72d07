"""Signing in, signing out, one's own password, and the page for a form whose token is not valid."""

from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import REASON_BAD_ORIGIN
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from efcp.accounts import services, signing_in, time_zones
from efcp.accounts.forms import OwnPasswordForm, SignInForm, TimeZoneForm
from efcp.accounts.known_browser import remember_browser
from efcp.accounts.middleware import reachable_before_password_change
from efcp.accounts.models import User
from efcp.accounts.next_page import page_of, safe_next
from efcp.accounts.signing_in import WrongPassword
from efcp.accounts.throttle import TooEarly
from efcp.accounts.typed import Keeping, keep_typed, typed_waits
from efcp.audit.services import actor_of

WRONG = "The user name or the password is wrong."
WRONG_NOW_WAIT = "The user name or the password is wrong. Before the next try, wait {wait}."
TOO_EARLY = "Too many wrong tries: this one was not looked at. Wait {wait}, then try again."
OUT_OF_DATE = "This page was out of date, so you are not signed in yet. Please try once more."


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
        time_zones.follow_browser(result, request.POST.get("time_zone", ""))
        response = HttpResponseRedirect(target)
        remember_browser(response, result.username)
        return response
    return _refusal(request, form, target, result)


@sensitive_variables("form")
def _refusal(
    request: HttpRequest, form: SignInForm, target: str, result: WrongPassword | TooEarly
) -> HttpResponse:
    if isinstance(result, WrongPassword):
        text = WRONG_NOW_WAIT if result.wait_next else WRONG
        form.add_error(None, text.format(wait=_in_words(result.wait_next)))
        return _sign_in_page(request, form, target)
    form.add_error(None, TOO_EARLY.format(wait=_in_words(result.wait)))
    response = _sign_in_page(request, form, target, status=429)
    response.headers["Retry-After"] = str(result.wait)
    return response


def _sign_in_page(request: HttpRequest, form: SignInForm, target: str, status: int = 200) -> HttpResponse:
    context = {"form": form, "next": target, "typed_waits": typed_waits(request)}
    return render(request, "accounts/sign_in.html", context, status=status)


def _in_words(seconds: int) -> str:
    return "1 second" if seconds == 1 else f"{seconds} seconds"


@require_POST
@login_not_required
@reachable_before_password_change
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session; also where it had ended already."""
    signing_in.sign_out(request)
    return redirect("accounts:sign-in")


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
        update_session_auth_hash(request, changed)
        messages.success(request, "Your password is changed. Your other sessions have ended.")
        return redirect("home")
    return render(request, "accounts/password.html", {"form": form, "first": user.must_change_password})


def _current_password_is_right(request: HttpRequest, user: User, form: OwnPasswordForm) -> bool:
    """Check it at the same pace as a sign-in: who found an open browser could guess here as well."""
    result = signing_in.check_password(request, user.username, form.cleaned_data["current_password"])
    if isinstance(result, User):
        return True
    wait = result.wait if isinstance(result, TooEarly) else result.wait_next
    text = TOO_EARLY if isinstance(result, TooEarly) else "This is not your current password."
    form.add_error("current_password", text.format(wait=_in_words(wait)))
    return False


@require_http_methods(["GET", "HEAD", "POST"])
def time_zone(request: HttpRequest) -> HttpResponse:
    """The zone in which all pages show times to this user, and read those that he types."""
    user = cast(User, request.user)
    form = TimeZoneForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_valid():
        time_zones.choose(user, form.cleaned_data["time_zone"], actor_of(request))
        messages.success(request, f"Times are shown in {user.time_zone or 'UTC'}.")
        return redirect("home")
    return render(request, "accounts/time_zone.html", {"form": form})


@require_POST
def browser_time_zone(request: HttpRequest) -> HttpResponse:
    """Keep the zone that a script found the browser to be in, for the next pages."""
    time_zones.follow_browser(cast(User, request.user), request.POST.get("time_zone", ""))
    return HttpResponse(status=204)


@never_cache
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What is shown instead of Django's page when a form's token is missing or of another session.

    That happens to honest people who signed in or out in another tab; the sign-in form then only starts
    anew. Typed fields are kept where the browser's own Origin header, which Django has checked before the
    token, says that the form is this panel's.
    """
    if request.path == reverse("accounts:sign-in"):
        return _sign_in_again(request)
    forged = "Origin" not in request.headers or reason.startswith(REASON_BAD_ORIGIN.partition("%")[0])
    kept = not forged and request.method == "POST" and keep_typed(request) is Keeping.KEPT
    context = {"kept": kept, "page": page_of(request) if kept else reverse("home")}
    return render(request, "accounts/csrf_failure.html", context, status=403)


def _sign_in_again(request: HttpRequest) -> HttpResponse:
    target = safe_next(request, request.POST.get("next", ""))
    if request.user.is_authenticated:
        messages.info(request, f"You were signed in already, as {request.user.get_username()}.")
        return HttpResponseRedirect(target)
    form = SignInForm(initial={"username": request.POST.get("username", "")[:64]})
    context = {"form": form, "next": target, "typed_waits": typed_waits(request), "notice": OUT_OF_DATE}
    return render(request, "accounts/sign_in.html", context, status=403)
