"""Reading rules, in the order in which a proxy tries them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from django.db.models import CharField, Min, Q, QuerySet, Value
from django.db.models.functions import Cast, Lower
from django.http import QueryDict

from dialplan.loaded import NotLoaded, not_loaded
from dialplan.models import MatchOperator, Rule
from dialplan.order import next_free
from dialplan.schedules import short_words
from dialplan.table import DIALPLAN_NAMES, RULES
from dialplan.translation.rules import DialplanEnvironment, Rejected, RuleEffect, RuleRow, read_rule
from efcp.database.versions import content_of
from efcp.editing.listing import PageLinks, RowQuery, integer, matching_rows, rows_of_page
from efcp.editing.table import MAX_INT
from efcp.kept import PageVersion
from efcp.proxies.loads import SHOWN_COLUMNS
from efcp.proxies.selectors import WatchedProxy

MAX_RULES = 20_000
"""Of one dialplan, loaded for a trial; a page can't wait for more. Equal rules of other texts don't count."""

_MAY_CRASH = r"([$\\].*){11}"
"""Replacements that may name more than ten places: a load of one crashes the proxy."""


MAX_ALL_RULES = 50_000
"""Of all dialplans, loaded to predict a reload."""


_EMPTY = {name: Q(**{f"{name}__isnull": True}) | Q(**{name: ""}) for name in ("subst_exp", "timerec")}
_PLAIN = (
    Q(match_op=MatchOperator.EQUAL, disabled=0)
    & ~Q(match_exp="")
    & ~Q(match_exp__startswith=" ")
    & _EMPTY["subst_exp"]
    & _EMPTY["timerec"]
    & (Q(repl_exp__isnull=True) | ~Q(repl_exp__regex=r"[$\\]"))
)
"""Equal rules that every proxy loads: blocks of numbers, most often."""


class TooManyRulesError(Exception):
    """More rules than are loaded for a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleQuery(RowQuery):
    """Filters, order and page of the list of rules. `moving` is the id of a rule to be moved."""

    SORTS: ClassVar[tuple[str, ...]] = ("pr", "match_exp", "repl_exp", "attrs")

    dpid: int | None = None
    disabled: int | None = None
    moving: int | None = None

    @classmethod
    def filters(cls, given: Mapping[str, str]) -> dict[str, Any]:
        """Dialplan, 0 or 1 for disabled, and the rule to be moved."""
        return {
            "dpid": integer(given.get("dpid"), 0, MAX_INT),
            "disabled": integer(given.get("disabled"), 0, 1),
            "moving": integer(given.get("moving"), 1, MAX_INT),
        }

    @property
    def in_order(self) -> bool:
        """Whether rules are in the order in which a proxy tries them."""
        return self.sort == "pr"


@dataclass(frozen=True, slots=True)
class RuleView:
    """A row of the list; `problem` says what a proxy does instead of loading it.

    `not_loaded` is what answering proxies have not loaded of it.
    """

    row: Rule
    problem: str
    before: int | None = None
    """The id of the rule before it in its band; `behind` that of the one behind it."""
    behind: int | None = None
    not_loaded: tuple[NotLoaded, ...] = ()

    @property
    def when(self) -> str:
        """When it applies, in words."""
        return short_words(self.row.timerec or "")

    @property
    def caseless(self) -> bool:
        """Whether case makes no difference."""
        return bool(self.row.match_flags & 1)


@dataclass(frozen=True, slots=True)
class DialplanSection:
    """The rules of one dialplan on a page, with the name that an administrator gave it."""

    dpid: int
    name: str
    rules: tuple[RuleView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePage(PageLinks):
    """What the list page shows. `moving` is the rule to be moved, if any."""

    query: RuleQuery
    sections: tuple[DialplanSection, ...]
    moving: Rule | None = None


def find(rule_id: int) -> Rule | None:
    """The rule of that id; None where there is none."""
    return Rule.objects.filter(pk=min(rule_id, 2**31 - 1)).first()


def requested_row(given: QueryDict) -> RuleRow | None:
    """The rule that an address names by `row`, if there is one."""
    row_id = integer(given.get("row"), 1, MAX_INT)
    found = find(row_id) if row_id is not None else None
    return RuleRow.of(found) if found else None


names = DIALPLAN_NAMES.all


def _beside() -> tuple[str, ...]:
    """The names of dialplans, edits in the panel, and what proxies loaded."""
    return (
        "COALESCE((SELECT MAX(a.id) FROM efcp_audit a), 0)",
        content_of("efcp_dialplan", "dpid", "name"),
        content_of("efcp_proxy_load", *SHOWN_COLUMNS),
    )


LIST_VERSION = PageVersion("rules", "dialplan", beside=_beside)
"""The version of the list of rules, and of what `dialplan.loaded` compares."""


def list_page(query: RuleQuery, watched: Sequence[WatchedProxy] = ()) -> RulePage:
    """Read a page of the list, in a few queries at any size; a page beyond the last is the last."""
    moving = find(query.moving) if query.moving is not None else None
    if moving is not None:
        query = replace(query, dpid=moving.dpid)
    order = ("dpid", query.sort, *(() if query.in_order else ("pr",)), "id")
    page = rows_of_page(matching_rows(RULES, query), query, order)
    known = names()
    missing = not_loaded([row.pk for row in page.rows], watched)
    by_dialplan: dict[int, list[Rule]] = {}
    for row in page.rows:
        by_dialplan.setdefault(row.dpid, []).append(row)
    return RulePage(
        query=query,
        sections=tuple(
            DialplanSection(dpid, known.get(dpid, ""), _listed(rules, query.in_order, missing))
            for dpid, rules in by_dialplan.items()
        ),
        total=page.total,
        pages=page.pages,
        moving=moving,
    )


def rules_of(dpid: int, most: int | None = None) -> list[Rule]:
    """The rows of a dialplan in the database's order. Raises TooManyRulesError beyond `most`."""
    bound = MAX_RULES if most is None else most
    found = list(Rule.objects.filter(dpid=dpid).order_by("id")[: bound + 1])
    if len(found) > bound:
        raise TooManyRulesError(f"Dialplan {dpid} has more than {bound:,} rules.")
    return found


def rules_for(dpid: int, inputs: Iterable[str], most: int | None = None) -> list[Rule]:
    """The rows of a dialplan that any of `inputs` can meet, and those that break the load, by id.

    Equal rules are found by their text, whose case may differ. Raises TooManyRulesError beyond `most`, which
    is MAX_RULES unless given.
    """
    bound = MAX_RULES if most is None else most
    found = list(_matching(inputs).filter(dpid=dpid).order_by("id")[: bound + 1])
    if len(found) > bound:
        raise TooManyRulesError(f"Dialplan {dpid} has more than {bound:,} regular expression rules.")
    # One that loads for certain, so that a dialplan without a match is not one without rules.
    return found or list(Rule.objects.filter(_PLAIN, dpid=dpid)[:1])


def rules_for_each(inputs: Mapping[int, Iterable[str]]) -> dict[int, list[Rule]]:
    """What `rules_for` gives for the inputs of each dialplan, in three queries for all of them.

    A dialplan may have rows that only another's inputs meet. Empty where they have more than MAX_RULES
    together.
    """
    texts = {text for of_one in inputs.values() for text in of_one}
    found = list(_matching(texts).filter(dpid__in=inputs).order_by("id")[: MAX_RULES + 1])
    if len(found) > MAX_RULES:
        return {}
    rules: dict[int, list[Rule]] = {dpid: [] for dpid in inputs}
    for rule in found:
        rules[rule.dpid].append(rule)
    without = [dpid for dpid, of_one in rules.items() if not of_one]
    plain = Rule.objects.filter(_PLAIN, dpid__in=without).values("dpid").annotate(first=Min("id"))
    for rule in Rule.objects.filter(pk__in=[each["first"] for each in plain]):
        rules[rule.dpid].append(rule)
    return rules


def _matching(inputs: Iterable[str]) -> QuerySet[Rule]:
    """The rows that any of `inputs` can meet, and those that break the load, of all dialplans."""
    texts = [Lower(Value(text)) for text in set(inputs)]
    # Read in the connection's character set: a latin1 column is not compared with what latin1 lacks.
    rows = Rule.objects.alias(lower=Lower(Cast("match_exp", CharField(max_length=64))))
    matching = ~Q(match_op=MatchOperator.EQUAL) | Q(lower__in=texts)
    breaking = Q(match_exp="") | Q(repl_exp__regex=_MAY_CRASH)
    return rows.filter(matching | breaking)


def next_priority(dpid: int, after: int | None = None) -> int:
    """A free priority of a dialplan: behind all of its rules, or behind `after`; 0 where it has none."""
    of_dialplan = Rule.objects.filter(dpid=dpid).order_by("-pr")
    if after is not None:
        of_dialplan = of_dialplan.filter(pr__gte=after).order_by("pr")
    taken = list(of_dialplan.values_list("pr", flat=True).distinct()[:MAX_RULES])
    return next_free(taken, after) if taken else 0


def all_but_plain_rules() -> tuple[list[Rule], int]:
    """The rows of all dialplans by id but for equal rules that load for certain, whose number comes second.

    Raises TooManyRulesError beyond MAX_ALL_RULES.
    """
    found = list(Rule.objects.exclude(_PLAIN).order_by("id")[: MAX_ALL_RULES + 1])
    if len(found) > MAX_ALL_RULES:
        raise TooManyRulesError(f"More than {MAX_ALL_RULES:,} regular expression rules.")
    return found, Rule.objects.filter(_PLAIN).count()


def _listed(
    rows: list[Rule], in_order: bool, missing: Mapping[int, tuple[NotLoaded, ...]]
) -> tuple[RuleView, ...]:
    ids = [None, *(row.pk for row in rows), None] if in_order else [None] * (len(rows) + 2)
    return tuple(
        RuleView(row, _problem(row), before, behind, missing.get(row.pk, ()))
        for row, before, behind in zip(rows, ids, ids[2:], strict=False)
    )


def _problem(row: Rule) -> str:
    loaded, findings = read_rule(RuleRow.of(row), DialplanEnvironment())
    if isinstance(loaded, Rejected):
        return loaded.cause.text
    return next((each.text for each in findings if each.effect is RuleEffect.MAY_BE_DROPPED), "")
