"""What the tables say of a script's sets and dialplans, and the answers that follow from that."""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Length

from dialplan.models import Rule
from dialplan.selectors import names as dialplan_names
from dispatcher.models import Destination
from dispatcher.selectors import set_names
from efcp.proxies.selectors import proxies_for_all
from efcp.releases import DEFAULT
from efcp.script.checking.overview import SetFacts, TableFacts
from efcp.script.writing.answers import Answers, GroupAnswers
from efcp.script.writing.modules import PLACEHOLDER

MAX_GROUPS = 100_000
"""Sets, and dialplans, that are looked at."""

_INACTIVE = 1
_TEXTS = ("destination", "socket", "attrs", "description")


def tables() -> TableFacts:
    """The panel's tables as they stand, in six queries at any size."""
    destinations = Destination.objects.all()
    size = sum((Coalesce(Length(column), 0) for column in _TEXTS[1:]), start=Length(_TEXTS[0]))
    totals = destinations.aggregate(rows=Count("pk"), size=Sum(size))
    return TableFacts(
        sets=_sets(destinations),
        dialplans=dict(Rule.objects.values_list("dpid").annotate(Count("pk")).order_by("dpid")[:MAX_GROUPS]),
        rows=totals["rows"],
        bytes=totals["size"] or 0,
        database=_database(),
        partitions=_partitions(),
        proxies=proxies_for_all().filter(is_sandbox=False).count(),
    )


def _sets(destinations: QuerySet[Destination]) -> dict[int, SetFacts]:
    counted = destinations.values_list("setid").annotate(
        rows=Count("pk"), selectable=Count("pk", filter=~Q(state=_INACTIVE))
    )
    names = set_names()
    return {
        setid: SetFacts(rows, selectable, names.get(setid, ""))
        for setid, rows, selectable in counted[:MAX_GROUPS]
    }


def _partitions() -> frozenset[str]:
    """The partitions of the dispatcher that the panel looks after."""
    return frozenset({"default", *proxies_for_all().values_list("partition", flat=True)[:MAX_GROUPS]})


def _database() -> tuple[str, int, str] | None:
    if connection.vendor != "mysql":
        return None
    settings = connection.settings_dict
    return settings["HOST"] or "localhost", int(settings["PORT"] or 3306), settings["NAME"]


SHOWN_SETS = 500
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class OfferedSet:
    """A set of the table that a group can be written for."""

    id: int
    name: str
    facts: SetFacts


def offered_sets(tables: TableFacts) -> list[OfferedSet]:
    """The sets of the table by number, the first SHOWN_SETS."""
    known = set_names()
    facts = sorted((tables.sets or {}).items())[:SHOWN_SETS]
    return [OfferedSet(setid, known.get(setid, ""), each) for setid, each in facts]


def offered_dialplans(tables: TableFacts) -> list[tuple[int, str]]:
    """The dialplans of the table with their names, the first SHOWN_SETS."""
    known = dialplan_names()
    return [(dpid, known.get(dpid, "")) for dpid in sorted(tables.dialplans or {})[:SHOWN_SETS]]


def starting_answers(set_ids: list[int]) -> Answers:
    """The guide's example on the panel's own database, with a group for each of these sets."""
    answers = replace(Answers(version=str(DEFAULT)), database_url=own_database(with_password=False))
    if not set_ids:
        return answers
    known = set_names()
    return replace(answers, groups=tuple(_group(setid, known.get(setid, "")) for setid in set_ids))


def own_database(*, with_password: bool) -> str:
    """The panel's database as OpenSIPS takes it; the guide's one where the panel has none that it could."""
    if connection.vendor != "mysql":
        return Answers().database_url
    settings = connection.settings_dict
    password = quote(settings["PASSWORD"]) if with_password else PLACEHOLDER
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"mysql://{settings['USER']}:{password}@{settings['HOST'] or 'localhost'}{port}/{settings['NAME']}"


def _group(setid: int, name: str) -> GroupAnswers:
    word = _NOT_IN_NAMES.sub("_", name.lower()).strip("_")[:40] or f"set_{setid}"
    return GroupAnswers(route=f"to_{word}", set_id=setid, failure_route=f"{word}_failover")
