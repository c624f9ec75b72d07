"""The links on every page: what is where, and which one the page belongs to."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from efcp.modules.registry import all_modules


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


BOARD_PAGES = ("board", "everything", "choose", "set-state", "state-run", "undo-state")
USER_PAGES = ("users", "add-user", "edit-user", "user-password", "delete-user")
GROUPS: tuple[tuple[str, tuple[Place, ...]], ...] = (
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
            Place("audit:list", "Audit", ("audit:",)),
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
    """The variables `navigation`, the groups of links, and `current_place`, the label of the page's own."""
    groups = SimpleLazyObject(lambda: tuple(_groups(request)))
    return {"navigation": groups, "current_place": SimpleLazyObject(lambda: _current_label(groups))}


def place_groups() -> Iterator[tuple[str, tuple[Place, ...]]]:
    """The places by heading; the registered modules come first under "System"."""
    modules = tuple(
        Place(
            module.list_url,
            module.label,
            tuple(f"{each}:" for each in module.namespaces),
            module.view_permission,
        )
        for module in all_modules()
    )
    for heading, places in GROUPS:
        yield heading, (*modules, *places) if heading == "System" else places


def place_of(view_name: str) -> Place | None:
    """The place that a page belongs to, by the longest prefix; None for one's own account and for errors."""
    places = [place for _heading, group in place_groups() for place in group if place.holds(view_name)]
    return max(places, key=lambda place: place.longest(view_name), default=None)


def _groups(request: HttpRequest) -> Iterator[LinkGroup]:
    view_name = request.resolver_match.view_name if request.resolver_match else ""
    mine = place_of(view_name)
    for heading, places in place_groups():
        permitted = (place for place in places if request.user.has_perm(place.permission))
        links = tuple(_link(place, mine, view_name) for place in permitted)
        if links:
            yield LinkGroup(heading, links)


def _link(place: Place, mine: Place | None, view_name: str) -> Link:
    current = "" if place != mine else "page" if place.view == view_name else "true"
    return Link(place.label, reverse(place.view), current)


def _current_label(groups: object) -> str:
    for group in groups:  # type: ignore[attr-defined]
        for link in group.links:
            if link.current:
                return str(link.label)
    return "Menu"
