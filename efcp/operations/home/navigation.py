"""The links on every page: what is where, and which one the page belongs to."""

from dataclasses import dataclass
from functools import cache, lru_cache

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.functional import SimpleLazyObject

from efcp import __version__
from efcp.modules.registry import PanelModule, all_modules
from efcp.operations.home.page_help import help_for, step_of


@dataclass(frozen=True, slots=True)
class Place:
    """One link of the navigation. Pages whose view names begin with one of `covers` belong to it."""

    view: str
    label: str
    covers: tuple[str, ...]
    permission: str = "efcp.view"

    def holds(self, view_name: str) -> bool:
        """Whether a page belongs to it."""
        return view_name.startswith(self.covers)

    def longest(self, view_name: str) -> int:
        """The length of the longest of `covers` that the view name begins with."""
        return max(len(prefix) for prefix in self.covers if view_name.startswith(prefix))


@dataclass(frozen=True, slots=True)
class Link:
    """A place on a page: `current` is "page" on the place itself, "true" on a page that belongs to it."""

    label: str
    url: str
    current: str


@dataclass(frozen=True, slots=True)
class LinkGroup:
    """Links under one heading, which is empty for the first."""

    heading: str
    links: tuple[Link, ...]


PlaceGroup = tuple[str, tuple[Place, ...]]

BOARD_PAGES = ("board", "everything", "choose", "set-state", "state-run", "undo-state")
USER_PAGES = ("users", "add-user", "edit-user", "user-password", "delete-user", "policy", "reset-factors")
GROUPS: tuple[PlaceGroup, ...] = (
    ("", (Place("home", "Home", ("home", "panel:")),)),
    (
        "System",
        (
            Place("operations:board", "State board", tuple(f"operations:{name}" for name in BOARD_PAGES)),
            Place("operations:maintenance", "Maintenance", ("operations:maintenance",)),
            Place("proxies:list", "Proxies", ("proxies:",)),
        ),
    ),
    (
        "Tools",
        (
            Place("preview:home", "Preview", ("preview:",)),
            Place("script:check", "Script", ("script:",)),
        ),
    ),
    (
        "Administration",
        (
            Place("notifications:list", "Notifications", ("notifications:",)),
            Place("audit:list", "Change log", ("audit:",)),
            Place(
                "accounts:users",
                "Users",
                tuple(f"accounts:{name}" for name in USER_PAGES),
                "efcp.administer",
            ),
        ),
    ),
)


def navigation(request: HttpRequest) -> dict[str, object]:
    """The variables `navigation`, the groups of links; `sidebar`, their HTML; `current_place`, its label."""
    groups = cache(lambda: _groups(request))
    return {
        "navigation": SimpleLazyObject(groups),
        "sidebar": SimpleLazyObject(lambda: _sidebar(groups())),
        "current_place": SimpleLazyObject(lambda: _current_label(groups())),
    }


def page_help(request: HttpRequest) -> dict[str, object]:
    """The variables `page_help`, what the page is for; `guide_step`, what it replaces; `panel_version`."""
    shown = help_for(request.resolver_match.view_name) if request.resolver_match else None
    return {
        "page_help": shown,
        "guide_step": step_of(shown) if shown else None,
        "panel_version": __version__,
    }


def place_groups() -> tuple[PlaceGroup, ...]:
    """The places by heading; the registered modules come first under "System"."""
    return _place_groups(all_modules())


@lru_cache(maxsize=16)
def _place_groups(registered: tuple[PanelModule, ...]) -> tuple[PlaceGroup, ...]:
    modules = tuple(
        Place(
            module.list_url,
            module.label,
            tuple(f"{each}:" for each in module.namespaces),
            module.view_permission,
        )
        for module in registered
    )
    return tuple(
        (heading, (*modules, *places) if heading == "System" else places) for heading, places in GROUPS
    )


def place_of(view_name: str) -> Place | None:
    """The place that a page belongs to, by the longest prefix; None for one's own account and for errors."""
    places = [place for _heading, group in place_groups() for place in group if place.holds(view_name)]
    return max(places, key=lambda place: place.longest(view_name), default=None)


def _groups(request: HttpRequest) -> tuple[LinkGroup, ...]:
    view_name = request.resolver_match.view_name if request.resolver_match else ""
    needed = {place.permission for _heading, places in place_groups() for place in places}
    permissions = frozenset(each for each in needed if request.user.has_perm(each))
    return _link_groups(place_groups(), view_name, permissions, get_script_prefix())


@lru_cache(maxsize=512)
def _link_groups(
    groups: tuple[PlaceGroup, ...],
    view_name: str,
    permissions: frozenset[str],
    _prefix: str,
) -> tuple[LinkGroup, ...]:
    """The links that these permissions give; `_prefix`, under which the panel is mounted, is in every URL."""
    shown = place_of(view_name)
    found = []
    for heading, places in groups:
        links = tuple(_link(place, shown, view_name) for place in places if place.permission in permissions)
        if links:
            found.append(LinkGroup(heading, links))
    return tuple(found)


@lru_cache(maxsize=512)
def _sidebar(groups: tuple[LinkGroup, ...]) -> str:
    """The links' HTML, which shows nothing but `groups`."""
    return render_to_string("sidebar.html", {"navigation": groups})


def _link(place: Place, shown: Place | None, view_name: str) -> Link:
    current = "" if place != shown else "page" if place.view == view_name else "true"
    return Link(place.label, reverse(place.view), current)


def _current_label(groups: tuple[LinkGroup, ...]) -> str:
    return next((link.label for group in groups for link in group.links if link.current), "Menu")
