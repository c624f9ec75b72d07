"""The pages for errors of the panel's own."""

import logging
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from efcp.database.limits import took_too_long

log = logging.getLogger(__name__)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 with a way to try again where the database went away.

    The request's transaction is rolled back by then, so nothing is half written.
    """
    error = sys.exception()
    if isinstance(error, (OperationalError, InterfaceError)):
        return render(request, "503.html", {"took_too_long": took_too_long(error)}, status=503)
    return render(request, "500.html", status=500)
