"""The route map: which dialplan leads to which set, and by whose word."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Count, Q

from dialplan.models import Rule
from dialplan.selectors import names as dialplan_names
from dispatcher.models import Destination, InitialState
from dispatcher.selectors import set_names
from efcp.preview.models import Lead, LeadTarget
from efcp.preview.routes.attributes import set_named_by

MAX_WAYS = 2_000
"""Pairs of dialplan and attributes, and leads, that are shown."""

DEFAULT_ALGORITHM = 0
DEFAULT_FLAGS = "f"


@dataclass(frozen=True, slots=True)
class Leading:
    """Where a translation leads. `by` is "administrator" or "attributes".

    `setid` is None where another dialplan comes next, or where only an output tells the set.
    """

    setid: int | None
    by: str
    algorithm: int = DEFAULT_ALGORITHM
    flags: str = DEFAULT_FLAGS
    route: str = ""
    next_dpid: int | None = None


@dataclass(frozen=True, slots=True)
class Set:
    """The set at the end of a way: its name, its rows, how many of them are not inactive in the table."""

    id: int
    name: str
    rows: int
    selectable: int


@dataclass(frozen=True, slots=True)
class Way:
    """From the rules of a dialplan with these attributes to a set; None where it is not known where to."""

    dpid: int
    attributes: str
    rules: int
    leading: Leading | None = None
    set: Set | None = None
    lead: Lead | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A dialplan with its ways."""

    dpid: int
    name: str
    ways: tuple[Way, ...]


def leading_of(dpid: int, attributes: str) -> Leading | None:
    """Where a translation with these attributes leads: by their lead, themselves, the dialplan's lead."""
    leads = {
        lead.attributes: lead for lead in Lead.objects.filter(dpid=dpid, attributes__in=("", attributes))
    }
    return _leading(attributes, leads)


def route_map() -> tuple[Branch, ...]:
    """Every dialplan that has rules or leads, with its ways; in five queries at any size."""
    grouped = Rule.objects.filter(disabled=0).values_list("dpid", "attrs").annotate(rules=Count("pk"))
    rules = {
        (dpid, attrs or ""): count for dpid, attrs, count in grouped.order_by("dpid", "attrs")[:MAX_WAYS]
    }
    leads = {(lead.dpid, lead.attributes): lead for lead in Lead.objects.all()[:MAX_WAYS]}
    by_dialplan: dict[int, dict[str, Lead]] = {}
    for (dpid, attributes), lead in leads.items():
        by_dialplan.setdefault(dpid, {})[attributes] = lead
    ways = [
        Way(
            dpid,
            attributes,
            rules.get((dpid, attributes), 0),
            _leading(attributes, by_dialplan.get(dpid, {})),
            lead=leads.get((dpid, attributes)),
        )
        for dpid, attributes in sorted(rules.keys() | leads.keys())
    ]
    return _branches(_with_sets(ways))


def _leading(attributes: str, leads: Mapping[str, Lead]) -> Leading | None:
    lead = leads.get(attributes)
    named = set_named_by(attributes)
    if lead is None and named is not None:
        return Leading(named, "attributes")
    lead = lead or leads.get("")
    if lead is None:
        return None
    setid = lead.setid if lead.target == LeadTarget.SET else None
    return Leading(setid, "administrator", lead.algorithm, lead.flags, lead.route, lead.next_dpid)


def _with_sets(ways: Iterable[Way]) -> list[Way]:
    told = list(ways)
    numbers = {way.leading.setid for way in told if way.leading and way.leading.setid is not None}
    counted = Destination.objects.filter(setid__in=numbers).values_list("setid")
    facts = {
        setid: (rows, selectable)
        for setid, rows, selectable in counted.annotate(
            rows=Count("pk"), selectable=Count("pk", filter=~Q(state=InitialState.INACTIVE))
        )
    }
    names = set_names()
    sets = {each: Set(each, names.get(each, ""), *facts.get(each, (0, 0))) for each in numbers}
    return [
        Way(way.dpid, way.attributes, way.rules, way.leading, sets[way.leading.setid], way.lead)
        if way.leading and way.leading.setid is not None
        else way
        for way in told
    ]


def _branches(ways: Iterable[Way]) -> tuple[Branch, ...]:
    names = dialplan_names()
    found: dict[int, list[Way]] = {}
    for way in ways:
        found.setdefault(way.dpid, []).append(way)
    return tuple(Branch(dpid, names.get(dpid, ""), tuple(each)) for dpid, each in found.items())
