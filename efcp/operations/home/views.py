"""The home page, its parts that are fetched later, and the page to start on."""

from typing import cast

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import condition, require_POST, require_safe

from dialplan.loaded import pending_rules
from dispatcher.changes import pending_changes
from dispatcher.selectors import LIST_VERSION
from efcp.accounts import preferences
from efcp.accounts.models import User
from efcp.audit.services import actor_of
from efcp.glossary import TERMS
from efcp.operations.history.calls import calls_of_sets
from efcp.operations.home.finder import LONGEST, find_anything
from efcp.operations.home.first_steps import first_steps
from efcp.operations.home.page_help import STEPS
from efcp.operations.home.selectors import home, version_of, watched_with_marks
from efcp.proxies.context import watched_on

NOW = "now"
"""The id of the part that refreshes itself."""


def _fragment_version(request: HttpRequest) -> str | None:
    """The version of the part that refreshes itself; the page around it is somebody's own, and has none."""
    if request.headers.get("HX-Target") != NOW:
        return None
    return f'"{version_of(watched_on(request, watched_with_marks))}"'


@require_safe
@permission_required("efcp.view", raise_exception=True)
@condition(etag_func=_fragment_version)
def home_page(request: HttpRequest) -> HttpResponse:
    """What is wrong now, and what happened last; `?wall` is the same for a screen on a wall."""
    watched = watched_on(request, watched_with_marks)
    context = {"home": home(watched), "is_wall": "wall" in request.GET}
    if request.headers.get("HX-Target") == NOW:
        return render(request, "home/now.html", context)
    context["first_steps"] = first_steps(cast(User, request.user), watched)
    return render(request, "home/page.html", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def pending(request: HttpRequest) -> HttpResponse:
    """A fragment: changes of both modules that proxies have not loaded."""
    watched = watched_on(request, LIST_VERSION.watched)
    context = {
        "destinations": pending_changes(watched),
        "rules": [each for each in pending_rules(watched) if each.watched.fresh and each.count],
        "is_wall": "wall" in request.GET,
    }
    return render(request, "home/pending.html", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def calls(request: HttpRequest) -> HttpResponse:
    """A fragment: the last day's calls per set."""
    context = {"calls": calls_of_sets(watched_on(request)), "title": "Calls per set"}
    return render(request, "operations/history/calls.html", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def search(request: HttpRequest) -> HttpResponse:
    """Pages and things by a few letters: a page, or the hits as JSON for the palette (Ctrl-K)."""
    text = request.GET.get("q", "")[:LONGEST].replace("\0", "")
    hits = find_anything(cast(User, request.user), text)
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"hits": [hit.as_json() for hit in hits]})
    return render(request, "home/search.html", {"hits": hits, "text": text})


@require_safe
@permission_required("efcp.view", raise_exception=True)
def help_page(request: HttpRequest) -> HttpResponse:
    """The guide's steps and where they are done here, the keys, and the glossary."""
    return render(request, "home/help.html", {"steps": STEPS, "terms": TERMS})


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Redirect to the page on which the user starts."""
    return HttpResponseRedirect(preferences.start_url(cast(User, request.user)))


@require_POST
@permission_required("efcp.view", raise_exception=True)
def hide_first_steps(request: HttpRequest) -> HttpResponse:
    """Put the first steps away, for this user."""
    preferences.hide_first_steps(cast(User, request.user), actor_of(request))
    return redirect("home")
