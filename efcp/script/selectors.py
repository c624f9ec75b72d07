"""What the tables say of the sets and dialplans that a script names."""

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Length

from dialplan.models import Rule
from dispatcher.models import Destination
from dispatcher.selectors import set_names
from efcp.proxies.selectors import proxies_for_all
from efcp.script.checking.tables import SetFacts, Tables

MAX_GROUPS = 100_000
"""Sets, and dialplans, that are looked at."""

_INACTIVE = 1
_TEXTS = ("destination", "socket", "attrs", "description")


def tables() -> Tables:
    """The panel's tables as they stand, in six queries at any size."""
    destinations = Destination.objects.all()
    size = sum((Coalesce(Length(column), 0) for column in _TEXTS[1:]), start=Length(_TEXTS[0]))
    totals = destinations.aggregate(rows=Count("pk"), size=Sum(size))
    return Tables(
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
