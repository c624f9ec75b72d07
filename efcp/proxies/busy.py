"""A limit on the requests of one process that wait for somebody else's machine at the same time."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse

MOST_AT_ONCE = 4
"""Requests of one process that wait for a proxy or another server, of all people together."""

_slots = threading.BoundedSemaphore(MOST_AT_ONCE)

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def waits_for_others(view: View[P]) -> View[P]:
    """Limit a view that connects to another machine within its request; beyond it, 503."""

    @wraps(view)
    def limited(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        if not _slots.acquire(blocking=False):
            text = f"{MOST_AT_ONCE} tests are under way: try again in a few seconds. Nothing was sent."
            if request.headers.get("HX-Request") == "true":
                # htmx shows no answer that is an error.
                return HttpResponse(f'<div class="notice notice-warning" role="alert">{text}</div>')
            return HttpResponse(text, status=503, content_type="text/plain", headers={"Retry-After": "5"})
        try:
            return view(request, *args, **kwargs)
        finally:
            _slots.release()

    return limited
