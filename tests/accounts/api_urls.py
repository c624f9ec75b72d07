"""The panel's addresses and one of the API, for tests of what stands before any API."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def probe(_request: HttpRequest) -> HttpResponse:
    """An API call that would succeed."""
    return HttpResponse("reached")


urlpatterns = [path("cp/api/probe", probe), path("", include("efcp.urls"))]
