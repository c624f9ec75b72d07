"""Rule sets as a proxy loads them (`dp_load_db`, `add_rule2hash` in the module's `dp_db.c`)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

from dialplan.translation.rules import (
    DialplanEnvironment,
    LoadedRule,
    Rejected,
    RuleEffect,
    RuleFinding,
    RuleRow,
    read_rule,
)
from dialplan.translation.timerec import TimeExpression

_DEFAULT_ENVIRONMENT: Final = DialplanEnvironment()


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one dpid, in the order of evaluation.

    `equal` holds the equal rules by their text in lower case (ASCII letters only, as `strncasecmp`), `regex`
    the others. `codes` and `recurrences` are those of `regex`, one for one.
    """

    dpid: int
    equal: Mapping[bytes, tuple[LoadedRule, ...]]
    regex: tuple[LoadedRule, ...]
    codes: tuple[object, ...]
    recurrences: tuple[TimeExpression | None, ...]

    @property
    def rules(self) -> list[LoadedRule]:
        """All rules by priority, then in the database's order."""
        every = [*self.regex, *(rule for rules in self.equal.values() for rule in rules)]
        return sorted(every, key=lambda rule: rule.position)


@dataclass(frozen=True, slots=True)
class LoadedDialplans:
    """A reload that succeeded: rule sets by dpid. A dpid whose rules were all dropped is not there.

    `loaded` counts rules that may be dropped, too.
    """

    dialplans: Mapping[int, RuleSet]
    loaded: int
    discarded: int
    findings: tuple[RuleFinding, ...]

    @property
    def uncertain(self) -> int:
        """How many of the rules counted as loaded may be dropped (see `LoadedRule.may_be_dropped`)."""
        return sum(finding.effect is RuleEffect.MAY_BE_DROPPED for finding in self.findings)

    @property
    def report(self) -> str:
        """The proxy's own count, as `sr_list_reports` of group `dialplan` shows it."""
        return f"{self.loaded} rules loaded ({self.discarded} discarded)"


@dataclass(frozen=True, slots=True)
class LoadBroken:
    """A reload that fails, and leaves the proxy with its old rules, or, where it `crashes`, with nothing."""

    cause: RuleFinding
    findings: tuple[RuleFinding, ...]

    @property
    def crashes(self) -> bool:
        """Whether the process that reloads crashes, and the proxy with it."""
        return self.cause.effect is RuleEffect.PROXY_CRASHES

    @property
    def report(self) -> str:
        """What `sr_list_reports` of group `dialplan` shows, where the proxy survives the load."""
        return "DB data loading failed, discarding"


def load(
    rows: Iterable[RuleRow], environment: DialplanEnvironment = _DEFAULT_ENVIRONMENT
) -> LoadedDialplans | LoadBroken:
    """Load rows as a proxy does. `rows` stand in the database's order, usually by id; `pr` sorts them first.

    All rows are looked at for `findings`, also those behind one that breaks the reload.
    """
    enabled = (rule for rule in rows if rule.disabled == 0)
    findings: list[RuleFinding] = []
    rules: list[LoadedRule] = []
    rejected: list[RuleFinding] = []
    for position, rule in zip(count(), sorted(enabled, key=lambda rule: rule.pr), strict=False):
        result, found = read_rule(rule, environment, position)
        findings.extend(found)
        if isinstance(result, Rejected):
            rejected.append(result.cause)
        else:
            rules.append(result)
    for cause in rejected:
        if cause.effect is not RuleEffect.RULE_DROPPED:
            return LoadBroken(cause, tuple(findings))
    return LoadedDialplans(_dialplans(rules), len(rules), len(rejected), tuple(findings))


def _dialplans(rules: list[LoadedRule]) -> dict[int, RuleSet]:
    by_dpid: dict[int, list[LoadedRule]] = defaultdict(list)
    for rule in rules:
        by_dpid[rule.rule.dpid].append(rule)
    return {dpid: _rule_set(dpid, its_rules) for dpid, its_rules in by_dpid.items()}


def _rule_set(dpid: int, rules: list[LoadedRule]) -> RuleSet:
    equal: dict[bytes, list[LoadedRule]] = defaultdict(list)
    regex = []
    for rule in rules:
        if rule.pattern is None:
            equal[rule.match.lower()].append(rule)
        else:
            regex.append(rule)
    return RuleSet(
        dpid=dpid,
        equal={text: tuple(its_rules) for text, its_rules in equal.items()},
        regex=tuple(regex),
        codes=tuple(rule.pattern.code for rule in regex if rule.pattern is not None),
        recurrences=tuple(rule.recurrence for rule in regex),
    )
