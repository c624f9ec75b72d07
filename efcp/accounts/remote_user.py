"""Signing in by the header of a trusted proxy, which has asked for password and factors itself.

Only in use where EFCP_REMOTE_USER_HEADER is set (efcp/sign_in_settings.py refuses at start what could be
forged). A header from anywhere else than EFCP_TRUSTED_PROXIES counts for nothing.
"""

import re
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from efcp.accounts import external, signing_in
from efcp.accounts.external import NotLetInError
from efcp.accounts.middleware import PassingOn, View
from efcp.accounts.sessions import MEANS, PROXY
from efcp.proxy_headers import client_address, is_trusted_proxy
from efcp.sign_in_settings import RemoteUser

_CLAIMED = "remote_user"
"""In a session: the name and the groups by which it began."""


class RemoteUserMiddleware(PassingOn):
    """Signs in whom the proxy names; a session that it began ends once it names somebody else, or nobody."""

    def process_view(
        self, request: HttpRequest, view: View, _args: tuple[Any, ...], _kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Answer where the user is refused; None lets the request go on."""
        remote: RemoteUser | None = settings.REMOTE_USER
        if remote is None or not getattr(view, "login_required", True):
            return None
        name, groups = _claims(request, remote)
        claimed = [name, sorted(groups)]
        if request.session.get(MEANS) == PROXY and request.session.get(_CLAIMED) != claimed:
            logout(request)
        if not name or request.user.is_authenticated:
            return None
        try:
            _sign_in(request, remote, name, groups)
        except NotLetInError as error:
            signing_in.record_failure(request, error.user, str(error), "by the proxy's header")
            return render(request, "accounts/not_let_in.html", {"problem": str(error)}, status=403)
        request.session[_CLAIMED] = claimed
        return None


def _sign_in(request: HttpRequest, remote: RemoteUser, name: str, groups: frozenset[str]) -> None:
    """Begin the session of the user whom the header names. Raises NotLetInError."""
    # The web server joins the values of a header that comes twice by a comma.
    if "," in name or not name.isprintable() or len(name) > external.LONGEST_NAME:
        raise NotLetInError(f"The proxy's header {remote.header} has more than one value, or no user name.")
    user = external.let_in(PROXY, name, name, groups, remote.roles, client_address(request))
    signing_in.begin_session(request, user, PROXY, has_factor=True)


def _claims(request: HttpRequest, remote: RemoteUser) -> tuple[str, frozenset[str]]:
    """The name and the groups in the headers; none from anybody but a trusted proxy."""
    if not is_trusted_proxy(request.META.get("REMOTE_ADDR", "")):
        return "", frozenset()
    groups = re.split(r"[,|]", request.headers.get(remote.groups_header, ""))
    return request.headers.get(remote.header, "").strip(), frozenset(filter(None, map(str.strip, groups)))
