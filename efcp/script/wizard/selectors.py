"""The answers that the panel can give itself: its database, and a group for each set that is chosen."""

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from django.db import connection

from dialplan.selectors import names as dialplan_names
from dispatcher.selectors import set_names
from efcp.releases import DEFAULT
from efcp.script.checking.tables import SetFacts, Tables
from efcp.script.writing.answers import Answers, Group
from efcp.script.writing.database import PLACEHOLDER

SHOWN_SETS = 500
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class OfferedSet:
    """A set of the table that a group can be written for."""

    id: int
    name: str
    facts: SetFacts


def offered_sets(tables: Tables) -> list[OfferedSet]:
    """The sets of the table by number, the first SHOWN_SETS."""
    known = set_names()
    facts = sorted((tables.sets or {}).items())[:SHOWN_SETS]
    return [OfferedSet(setid, known.get(setid, ""), each) for setid, each in facts]


def offered_dialplans(tables: Tables) -> list[tuple[int, str]]:
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


def _group(setid: int, name: str) -> Group:
    word = _NOT_IN_NAMES.sub("_", name.lower()).strip("_")[:40] or f"set_{setid}"
    return Group(route=f"to_{word}", set_id=setid, failure_route=f"{word}_failover")
