"""The state board's page."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import condition, require_safe

from efcp.operations.board.selectors import board, version_of, watched_with_marks
from efcp.proxies.context import watched_on


def _fragment_version(request: HttpRequest) -> str | None:
    """The version of the polled fragment; the page around it also names the user, and has none."""
    if request.headers.get("HX-Target") != "board":
        return None
    return f'"{version_of(watched_on(request, watched_with_marks))}"'


@require_safe
@permission_required("efcp.view", raise_exception=True)
@condition(etag_func=_fragment_version)
def state_board(request: HttpRequest) -> HttpResponse:
    """All sets on all proxies, problems first; the polled fragment costs little while nothing changed."""
    fragment = "#board" if request.headers.get("HX-Target") == "board" else ""
    return render(
        request,
        f"operations/board/page.html{fragment}",
        {"board": board(watched_on(request, watched_with_marks))},
    )
