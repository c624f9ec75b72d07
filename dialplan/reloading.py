"""Reloading the dialplan: dp_reload, the counts that are reported, and the saved cases asked again.

MI lists no rules, so a proxy's memory is compared by what it reports: how many rules it loaded, and what it
makes of the saved test cases.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dialplan.cases.running import CheckedCase, run_cases
from dialplan.cases.selectors import all_cases
from dialplan.dry_run import DryRun
from dialplan.load_prediction import LoadPrediction, predict_load
from dialplan.loaded import RuleColumns, read_rules
from dialplan.proxy_check import Agreement, TranslationAnswer, ask_cases
from efcp.mi import MiClient
from efcp.modules.registry import ReloadOutcome
from efcp.modules.reloading import (
    ReadBack,
    ReloadCommand,
    ReloadReply,
    record_load,
    reload_and_read_back,
)
from efcp.proxies.fan_out import Target
from efcp.proxies.loads import MAX_ROWS
from efcp.proxies.models import Proxy

CASES_LIMIT_S = 10.0
"""Within which a proxy runs all test cases."""

MAX_NOTES = 20
IDENTIFIER = "default"
"""The panel looks after the dialplan's default partition, whose reports have this name."""


class DialplanReload:
    """dp_reload, compared with the table as it is when the run begins."""

    read_back_limit_s = CASES_LIMIT_S

    def __init__(self, _inherit_state: bool = True) -> None:
        self._checked: tuple[CheckedCase, ...] = ()
        self._prediction: LoadPrediction | None = None
        self._rules: dict[int, RuleColumns] | None = None

    def blocked(self, proxies: Iterable[Proxy]) -> dict[int, str]:
        """The row over which every proxy's whole reload would fail, or which would crash it."""
        prediction = predict_load()
        if prediction is None or prediction.breaking is None:
            return {}
        cause = prediction.breaking
        text = f"Rule {cause.rule}, {cause.column}: {cause.text}"
        return {proxy.pk: text for proxy in proxies}

    def prepare(self) -> None:
        """Run the test cases on the table, and count what it should load."""
        self._checked = run_cases(all_cases())
        self._prediction = predict_load()
        self._rules = read_rules()

    def reload(self, target: Target) -> ReloadReply[list[TranslationAnswer | None]]:
        """Send dp_reload, then ask for the test cases and the reports."""

        def send(client: MiClient, limit_s: float) -> object:
            return client.dp_reload(timeout=limit_s)

        def question(client: MiClient) -> list[TranslationAnswer | None]:
            return ask_cases(client, self._checked, CASES_LIMIT_S)

        return reload_and_read_back(target, ReloadCommand("dialplan", IDENTIFIER, send, question))

    def store(self, reply: ReloadReply[list[TranslationAnswer | None]]) -> ReadBack:
        """Compare the answers and the counts with the table; nothing is stored but that."""
        if reply.outcome is ReloadOutcome.DONE:
            self._record(reply)
        if reply.read_back.error is not None:
            return ReadBack(None, str(reply.read_back.error))
        answers = reply.read_back.value
        if not answers and reply.reports.count is None:
            return ReadBack(None, "Nothing to compare: no test cases, and the proxy reports no counts.")
        differing = [*differing_cases(self._checked, answers), *self._counted(reply)]
        shown = tuple(differing[:MAX_NOTES])
        if len(differing) > MAX_NOTES:
            shown += (f"{len(differing) - MAX_NOTES:,} more differ.",)
        unanswered = sum(each is None for each in answers)
        problem = f"{unanswered} of {len(answers)} test cases were not queried." if unanswered else ""
        return ReadBack(len(differing), problem, shown)

    def _record(self, reply: ReloadReply[Any]) -> None:
        """Remember the rules that the proxy loaded: those of the table, if they are the same as before."""
        rules = self._rules
        if rules is None:
            record_load(reply, "dialplan", None, f"More than {MAX_ROWS:,} rules.")
            return
        unchanged = read_rules() == rules
        record_load(reply, "dialplan", list(rules.values()) if unchanged else None)

    def _counted(self, reply: ReloadReply[list[TranslationAnswer | None]]) -> Iterator[str]:
        count, prediction = reply.reports.count, self._prediction
        if reply.outcome is not ReloadOutcome.DONE or count is None or prediction is None:
            return
        if not prediction.allows(count.loaded, count.discarded):
            chance = f" ({prediction.uncertain} of them may be rejected)" if prediction.uncertain else ""
            yield (
                f"Loaded {count.loaded:,} rules and rejected {count.discarded:,}; the table predicts"
                f" {prediction.loaded:,} and {prediction.discarded:,}{chance}."
            )


def differing_cases(
    checked: Sequence[CheckedCase], answers: Sequence[TranslationAnswer | None]
) -> Iterator[str]:
    """Say of each case that a proxy does not answer as the table would, what it answers."""
    for each, answer in zip(checked, answers, strict=True):
        if answer is not None and answer.agreement(each.dry_run) is Agreement.DIFFERENT:
            yield (
                f"“{each.case.input}” in dialplan {each.case.dpid}: the proxy returns"
                f" {_quoted(answer.output)}, the table {_given(each.dry_run)}."
            )


def _given(dry_run: DryRun) -> str:
    if not dry_run.possible:
        return _quoted(dry_run.output)
    return " or ".join(dict.fromkeys(_quoted(each.output) for each in dry_run.possible))


def _quoted(output: str | None) -> str:
    return "nothing" if output is None else f"“{output}”"
