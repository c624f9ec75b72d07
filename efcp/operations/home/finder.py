"""What Ctrl-K finds: pages, sets, destinations, dialplans and proxies, by a few letters."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice

from django.db.models import Q
from django.urls import reverse

from dialplan.models import DialplanName, Rule
from dispatcher.models import Destination, DestinationSet
from efcp.accounts.models import User
from efcp.editing.listing import integer
from efcp.editing.table import MAX_INT
from efcp.operations.home.navigation import place_groups
from efcp.proxies.models import Proxy

LONGEST = 100
"""Characters of a search; what follows is ignored."""

OF_A_KIND = 6
AT_MOST = 20

ACTIONS = (
    ("Add destination", "dispatcher:add", "efcp.administer"),
    ("Add dialplan rule", "dialplan:add", "efcp.administer"),
    ("Add proxy", "proxies:add", "efcp.administer"),
    ("Add notification rule", "notifications:add", "efcp.administer"),
    ("Add user", "accounts:add-user", "efcp.administer"),
    ("Reload dispatcher", "operations:reload", "efcp.view"),
    ("Reload dialplan", "operations_dialplan:reload", "efcp.view"),
    ("Change state by host or address", "operations:everything", "efcp.operate"),
    ("Check a script", "script:check", "efcp.view"),
    ("Write a script", "script:write", "efcp.view"),
    ("Preview a call", "preview:call", "efcp.view"),
    ("Trace a number", "preview:routes", "efcp.view"),
    ("Bulk translation", "preview:bulk-translation", "efcp.view"),
    ("Distribution of calls", "preview:distribution", "efcp.view"),
    ("Compare algorithms", "preview:algorithms", "efcp.view"),
    ("Simulate an outage", "preview:outage", "efcp.view"),
    ("Call logs", "preview:distribution-logs", "efcp.view"),
    ("Preferences", "accounts:preferences", "efcp.view"),
    ("Change password", "accounts:password", "efcp.view"),
    ("Sign-in and security", "accounts:security", "efcp.view"),
    ("Sign-in policy", "accounts:policy", "efcp.administer"),
    ("Help and glossary", "panel:help", "efcp.view"),
)
"""Pages that no link of the navigation leads to: label, view, permission."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit: `kind` is "Page", "Set", ...; `detail` distinguishes it from others with the same label."""

    kind: str
    label: str
    detail: str
    url: str

    def as_json(self) -> dict[str, str]:
        """The same for a script."""
        return asdict(self)


def find_anything(user: User, text: str) -> tuple[Hit, ...]:
    """At most AT_MOST hits that this user may see, at most OF_A_KIND of a kind; pages come first."""
    letters = text.strip()[:LONGEST]
    if not letters:
        return tuple(islice(_pages(user, ""), AT_MOST))
    if not user.has_perm("efcp.view"):
        return ()
    number = integer(letters, 0, MAX_INT)
    kinds = (
        _pages(user, letters.lower()),
        _sets(letters, number),
        _dialplans(letters, number),
        _proxies(user.may_administer, letters),
        _destinations(letters),
    )
    return tuple(hit for kind in kinds for hit in islice(kind, OF_A_KIND))[:AT_MOST]


def _pages(user: User, letters: str) -> Iterator[Hit]:
    """Pages whose label has every word of the search at the beginning of one of its own, then elsewhere."""
    places = [
        *(
            (place.label, place.view, place.permission)
            for _heading, group in place_groups()
            for place in group
        ),
        *ACTIONS,
    ]
    words = letters.split()
    fitting = [place for place in places if all(word in place[0].lower() for word in words)]
    fitting.sort(key=lambda place: not all(f" {word}" in f" {place[0].lower()}" for word in words))
    for label, view, permission in fitting:
        if user.has_perm(permission):
            yield Hit("Page", label, "", reverse(view))


def _sets(letters: str, number: int | None) -> Iterator[Hit]:
    named = DestinationSet.objects.filter(Q(name__icontains=letters) | Q(setid=number)).order_by("setid")
    found = dict(named.values_list("setid", "name")[:OF_A_KIND])
    if number is not None and number not in found and Destination.objects.filter(setid=number).exists():
        found = {number: "", **found}
    for setid, name in found.items():
        yield Hit(
            "Set", name or f"Set {setid}", f"set {setid}", f"{reverse('dispatcher:list')}?setid={setid}"
        )


def _dialplans(letters: str, number: int | None) -> Iterator[Hit]:
    named = DialplanName.objects.filter(Q(name__icontains=letters) | Q(dpid=number)).order_by("dpid")
    found = dict(named.values_list("dpid", "name")[:OF_A_KIND])
    if number is not None and number not in found and Rule.objects.filter(dpid=number).exists():
        found = {number: "", **found}
    for dpid, name in found.items():
        label = name or f"Dialplan {dpid}"
        yield Hit("Dialplan", label, f"dpid {dpid}", f"{reverse('dialplan:list')}?dpid={dpid}")


def _proxies(may_edit: bool, letters: str) -> Iterator[Hit]:
    like = Q(name__icontains=letters) | Q(mi_url__icontains=letters)
    for proxy in Proxy.objects.filter(like).order_by("name")[:OF_A_KIND]:
        url = reverse("proxies:edit", args=[proxy.pk]) if may_edit else reverse("proxies:list")
        yield Hit("Proxy", proxy.name, proxy.mi_url, url)


def _destinations(letters: str) -> Iterator[Hit]:
    like = Q(destination__icontains=letters) | Q(description__icontains=letters)
    for row in Destination.objects.filter(like)[:OF_A_KIND]:
        detail = f"set {row.setid}{f' · {row.description}' if row.description else ''}"
        yield Hit("Destination", row.destination, detail, reverse("operations:destination", args=[row.pk]))
