"""What stands around each request: one limit of effort for all rules that it tries."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from dialplan.translation import effort


class RuleEffortMiddleware:
    """Limits what a request may spend on rules; templates read from `request.rule_effort` that it did."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on."""
        spent = effort.Effort(effort.SEARCHES, effort.SECONDS, time.monotonic)
        request.rule_effort = spent  # type: ignore[attr-defined]
        with effort.limited(spent):
            return self.get_response(request)
