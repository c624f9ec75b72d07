"""What stands between a request and its view: sessions that ended, passwords that must be changed.

All of it runs just before the view (process_view), and reads only the session and the user that
Django's LoginRequiredMiddleware reads anyway.
"""

import time
from collections.abc import Callable
from datetime import UTC
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from efcp.accounts import time_zones
from efcp.accounts.form_recovery import FormRecovery, keep_form, page_of
from efcp.accounts.sessions import MUST_ADD_FACTOR, renew_session

NOT_KEPT = {
    FormRecovery.TOO_LARGE: "Your session expired, and your input was too large to keep.",
    FormRecovery.UNKNOWN_BROWSER: "You are not signed in. Nothing was saved and your input was not kept.",
}

View = Callable[..., HttpResponse]
GetResponse = Callable[[HttpRequest], HttpResponse]


def reachable_before_password_change(view: View) -> View:
    """Mark a view as one that a user may reach while their password must be changed."""
    view.reachable_before_password_change = True  # type: ignore[attr-defined]
    return view


def reachable_before_second_factor(view: View) -> View:
    """Mark a view as one that a user may reach who has yet to add the second factor that their role needs."""
    view.reachable_before_second_factor = True  # type: ignore[attr-defined]
    return view


class PassingOn:
    """Passes a request on; a subclass does its work in process_view."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        return self.get_response(request)


class NoStoreMiddleware(PassingOn):
    """Keeps browsers and proxies from storing a page behind the sign-in: it may show secrets."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Mark the answer of the panel's own views."""
        response = self.get_response(request)
        response.headers["Cache-Control"] = "no-store, private"
        return response


class EndedSessionMiddleware(PassingOn):
    """Redirects anonymous users to the sign-in page, keeping what was typed (efcp/accounts/form_recovery.py).

    htmx gets a redirect of the whole page, not the sign-in form as a fragment.
    """

    def process_view(
        self, request: HttpRequest, view: View, _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Answer for a view that needs signing in; None lets the request go on."""
        if not getattr(view, "login_required", True) or request.user.is_authenticated:
            return None
        if request.method == "POST" and (text := NOT_KEPT.get(keep_form(request))):
            messages.warning(request, text)
        return redirect_whole_page(
            request, reverse("accounts:sign-in") + "?" + urlencode({"next": _came_for(request)})
        )


class PasswordChangeMiddleware(PassingOn):
    """Lets nothing but the change of the password through while it must be changed; then a second factor."""

    def process_view(
        self, request: HttpRequest, view: View, _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Answer while the password must be changed; None lets the request go on."""
        if not getattr(view, "login_required", True):
            return None
        if not request.user.is_authenticated or getattr(view, "reachable_before_password_change", False):
            return None
        if request.user.must_change_password:
            return redirect_whole_page(request, reverse("accounts:password"))
        if MUST_ADD_FACTOR not in request.session or getattr(view, "reachable_before_second_factor", False):
            return None
        return redirect_whole_page(request, reverse("accounts:security"))


class SessionAgeMiddleware(PassingOn):
    """Lets a session live on while its user does something; what a page polls by itself is not that."""

    def process_view(
        self, request: HttpRequest, view: View, _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> None:
        """Renew the session of who asked for a page or sent a form."""
        if not getattr(view, "login_required", True):
            return
        polled = request.method == "GET" and "HX-Request" in request.headers
        if not polled and request.user.is_authenticated:
            renew_session(request.session, time.time())


class TimeZoneMiddleware(PassingOn):
    """Shows and reads all times of a page in the zone of the user's profile; UTC where none is known."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on, and leave no zone behind for the next one of this thread."""
        with timezone.override(None):
            return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> None:
        """Activate the user's zone; a name that this machine doesn't know any more counts as none."""
        if getattr(view, "login_required", True) and request.user.is_authenticated:
            timezone.activate(time_zones.known(request.user.time_zone) or UTC)


def _came_for(request: HttpRequest) -> str:
    """The page to show after signing in: for a form or a fragment the page that it stands on."""
    if request.method == "POST" or "HX-Request" in request.headers:
        return page_of(request)
    return request.get_full_path()


def redirect_whole_page(request: HttpRequest, target: str) -> HttpResponse:
    """A redirect that htmx follows with the whole page, too."""
    if "HX-Request" in request.headers:
        return HttpResponse(status=200, headers={"HX-Redirect": target})
    return HttpResponseRedirect(target)
