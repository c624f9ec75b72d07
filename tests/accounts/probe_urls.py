"""The panel's addresses and a plain page, for tests of what stands before any page."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def probe(_request: HttpRequest) -> HttpResponse:
    """A page that asks the database nothing."""
    return HttpResponse("reached")


urlpatterns = [path("cp/probe", probe), path("", include("efcp.urls"))]
