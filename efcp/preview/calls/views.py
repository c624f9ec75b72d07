"""The page on which one call is previewed."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
@permission_required("efcp.view", raise_exception=True)
def one_call(request: HttpRequest) -> HttpResponse:
    """Where one call would go, and why."""
    return render(request, "preview/call.html")
