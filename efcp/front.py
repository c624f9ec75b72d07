"""What stands before every request: whose word about the client's way here counts."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from efcp.audit.addresses import is_trusted_proxy


class NotStoredMiddleware:
    """Has browsers and proxies store no page behind the sign-in: it may show secrets."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Mark what the panel's own views answer."""
        response = self.get_response(request)
        response.headers["Cache-Control"] = "no-store, private"
        return response


class TrustedProxyMiddleware:
    """Drops headers in which anyone but a trusted proxy tells how the client reached the panel."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Let X-Forwarded-Proto through from EFCP_TRUSTED_PROXIES only."""
        told = "HTTP_X_FORWARDED_PROTO" in request.META
        if told and not is_trusted_proxy(request.META.get("REMOTE_ADDR", "")):
            del request.META["HTTP_X_FORWARDED_PROTO"]
        return self.get_response(request)
