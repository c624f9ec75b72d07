"""Middleware that limits the effort of a request for all rules that it tries."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from dialplan.translation.pattern import SEARCHES, SECONDS, Effort, limited


class RuleEffortMiddleware:
    """Limits what a request may spend on rules; templates read from `request.rule_effort` that it did."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        spent = Effort(SEARCHES, SECONDS, time.monotonic)
        request.rule_effort = spent  # type: ignore[attr-defined]
        with limited(spent):
            return self.get_response(request)
