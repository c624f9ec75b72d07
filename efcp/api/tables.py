"""Destinations and rules: what is special to each as a resource."""

from dataclasses import asdict
from typing import Any, Literal

from django.db.models import QuerySet
from ninja import Field, Router

from dialplan import services as rule_services
from dialplan.cases.running import case_snapshot
from dialplan.forms import RuleForm
from dialplan.models import Rule
from dialplan.selectors import RuleQuery
from dialplan.table import RULES
from dialplan.translation.rules import RuleRow
from dispatcher import selectors, services
from dispatcher.environment import form_environment
from dispatcher.forms import DestinationForm
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from dispatcher.selectors import DestinationQuery, Live
from efcp.api.exchange import PageQuery
from efcp.api.rows import Effect, RowResource, add_operations
from efcp.editing.listing import MAX_SEARCH, matching_rows
from efcp.editing.table import MAX_INT
from efcp.preview.impact import selectors as impact
from efcp.proxies.selectors import watched_proxies


class DestinationPageQuery(PageQuery):
    """The filters of the list of destinations."""

    q: str = Field("", max_length=MAX_SEARCH, description="Words in URI, attributes or description.")
    setid: int | None = Field(None, ge=0, le=MAX_INT, description="Only this set.")
    state: Literal[0, 1, 2] | None = Field(None, description="Only this initial state.")
    live: Literal["active", "probing", "inactive", "absent"] | None = Field(
        None, description="Only what is in this state on at least one answering proxy."
    )


class RulePageQuery(PageQuery):
    """The filters of the list of rules."""

    q: str = Field("", max_length=MAX_SEARCH, description="Words in expressions, replacement or attributes.")
    dpid: int | None = Field(None, ge=0, le=MAX_INT, description="Only this dialplan.")
    disabled: Literal[0, 1] | None = Field(None, description="1: only disabled rules; 0: only the others.")


def _matching_destinations(query: DestinationPageQuery) -> QuerySet[Destination]:
    live = Live(query.live) if query.live else None
    requested = DestinationQuery(sort="setid", q=query.q, setid=query.setid, state=query.state, live=live)
    proxies = [each.proxy for each in watched_proxies() if each.fresh] if live else []
    return selectors.matching(requested, proxies)


def _matching_rules(query: RulePageQuery) -> QuerySet[Rule]:
    return matching_rows(RULES, RuleQuery(sort="pr", q=query.q, dpid=query.dpid, disabled=query.disabled))


def _destination_effect(before: DestinationRow | None, after: DestinationRow | None, dry_run: bool) -> Effect:
    """How shares and calls move, by the table. Only a dry run waits for it."""
    if not dry_run:
        return lambda: None
    watched = watched_proxies()
    if after is None:
        row = None if before is None else selectors.find(before.id or 0)
        report = None if row is None else impact.of_deletion(row, watched)
    else:
        fields = {name: "" if value is None else str(value) for name, value in asdict(after).items()}
        report = impact.of_edit(before.id if before else None, fields, watched)
    return lambda: None if report is None else impact_as_json(report)


def impact_as_json(report: impact.ImpactReport) -> dict[str, Any]:
    """The effect of a change on shares and calls."""
    return {
        "by": report.source,
        "calls": impact.CALLS,
        "sets": [
            {
                "setid": each.setid,
                "moved": each.moved,
                "shares": [asdict(share) for share in each.shown],
                "warnings": list(each.warnings),
            }
            for each in report.impacts
        ],
        "problems": list(report.problems),
    }


def _rule_effect(before: RuleRow | None, after: RuleRow | None, _dry_run: bool) -> Effect:
    """Which test cases of the dialplans concerned fail after the write, and which pass again."""
    snapshot = case_snapshot(*{row.dpid for row in (before, after) if row is not None})

    def effect() -> dict[str, Any]:
        now = snapshot.now()
        inputs = {each.case.pk: each.case.input for each in now.checked}
        return {
            "failing": now.failing,
            "broken": sorted(inputs[pk] for pk in now.broken if pk in inputs),
            "fixed": sorted(inputs[pk] for pk in now.fixed if pk in inputs),
        }

    return effect


def _destination_form(values: Any, stored: DestinationRow | None) -> DestinationForm:
    return DestinationForm(values, stored=stored, environment=form_environment())


def _rule_form(values: Any, stored: RuleRow | None) -> RuleForm:
    return RuleForm(values, stored=stored)


DESTINATION_RESOURCE = RowResource(
    repository=services.REPOSITORY,
    noun="destination",
    plural="destinations",
    example={"setid": 1, "destination": "sip:10.0.0.1:5060", "weight": "10", "reason": "New gateway"},
    filters=DestinationPageQuery,
    matching=_matching_destinations,
    form=_destination_form,
    effect=_destination_effect,
    by_set=True,
)
RULE_RESOURCE = RowResource(
    repository=rule_services.REPOSITORY,
    noun="rule",
    plural="rules",
    example={"dpid": 1, "match_op": 1, "match_exp": "^0([1-9].*)$", "repl_exp": "+49\\1", "pr": 10},
    filters=RulePageQuery,
    matching=_matching_rules,
    form=_rule_form,
    effect=_rule_effect,
    by_set=False,
)

router = Router()
add_operations(router, DESTINATION_RESOURCE)
add_operations(router, RULE_RESOURCE)
