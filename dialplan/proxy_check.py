"""Send dp_translate to proxies and compare their answers with the preview."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from django.utils import timezone

from dialplan.cases.running import CheckedCase
from dialplan.differing import (
    Explanation,
    Loads,
    TableChange,
    explained,
    loads_of,
    newest_change,
    panel_reload,
)
from dialplan.dry_run import DryRun
from efcp.mi import MiClient, MiError, RefusedError
from efcp.proxies.fan_out import Answer, target_of
from efcp.proxies.models import Proxy, SharedAnswer, SharedQuestion
from efcp.proxies.shared_questions import Survey, begin, is_open, key_of

LIMIT_S = 3.0
_NO_TRANSLATION = 404
_PARTITION = "default"


class Agreement(StrEnum):
    """Whether a proxy and the preview give the same."""

    SAME = "same"
    POSSIBLE = "possible"
    """One of the outcomes that the table leaves possible."""
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TranslationAnswer:
    """What a proxy made of an input: `output` is None where it has no translation; `words` are its own."""

    output: str | None
    attributes: str = ""
    words: str = ""

    def agreement(self, dry_run: DryRun) -> Agreement:
        """Whether the preview gives the same output and attributes."""
        if dry_run.possible:
            fits = dry_run.may_give(self.output, self.attributes)
            return Agreement.POSSIBLE if fits else Agreement.DIFFERENT
        if not dry_run.is_certain:
            return Agreement.UNKNOWN
        same = (self.output, self.attributes) == (dry_run.output, dry_run.attributes)
        return Agreement.SAME if same else Agreement.DIFFERENT


@dataclass(frozen=True, slots=True)
class ComparedAnswer:
    """One proxy's translation of an input beside the table's, or the `problem` that left none.

    `why` it can't be compared; where it differs, `explanation` has what is known, and possible causes.
    """

    proxy: Proxy
    answer: TranslationAnswer | None
    agreement: Agreement
    problem: str = ""
    why: str = ""
    explanation: Explanation = field(default_factory=Explanation)
    is_awaited: bool = False


def translate_on(client: MiClient, dpid: int, text: str, timeout: float | None = None) -> TranslationAnswer:
    """Ask for one translation. Raises MiError where the proxy does not answer, or has no dialplan."""
    try:
        found = client.dp_translate(dpid, text, timeout=timeout)
    except RefusedError as error:
        if error.code == _NO_TRANSLATION:
            return TranslationAnswer(None, words=error.message)
        raise
    return TranslationAnswer(found.output, found.attributes)


def ask_cases(
    client: MiClient, checked: Sequence[CheckedCase], limit_s: float
) -> list[TranslationAnswer | None]:
    """Ask for each case within `limit_s` seconds for all of them; None where one was not asked.

    One that would crash the proxy is not. Raises MiError where the proxy does not answer.
    """
    ends_at = time.monotonic() + limit_s
    answers: list[TranslationAnswer | None] = []
    for each in checked:
        left = ends_at - time.monotonic()
        is_sent = not each.dry_run.crashes and left > 0
        timeout = min(left, client.timeout)
        answers.append(translate_on(client, each.case.dpid, each.case.input, timeout) if is_sent else None)
    return answers


def ask_proxies(proxies: Iterable[Proxy], dpid: int, dry_run: DryRun, actor: str) -> SharedQuestion:
    """Begin to ask all proxies for the input of `dry_run`; what each gives is compared as it comes.

    All requests to one proxy take at most LIMIT_S seconds. Not for an input that would crash one. Raises
    QuestionsBusyError.
    """
    change = newest_change(dpid)
    survey = Survey(
        key=key_of("translation", dpid, dry_run, change),
        title=f"“{dry_run.text}” in dialplan {dpid}",
        targets=[target_of(proxy) for proxy in proxies],
        question=lambda client: _ask(client, dpid, dry_run),
        encode=lambda answer: _encoded(_compared(answer, dry_run, change, timezone.now())),
        limit_s=LIMIT_S,
        whole_s=LIMIT_S,
    )
    return begin(survey, actor)


def unsent_answers(proxies: Iterable[Proxy]) -> list[ComparedAnswer]:
    """What is shown of each proxy where the input would crash it."""
    problem = "Not queried: with this input, the table's rules can crash it."
    return [ComparedAnswer(proxy, None, Agreement.UNKNOWN, problem) for proxy in proxies]


def answers_to(question: SharedQuestion) -> list[ComparedAnswer]:
    """What each proxy gave so far, by name; `is_awaited` where nothing came yet."""
    still_open = is_open(question)
    return [
        _decoded(each, still_open)
        for each in question.answers.select_related("proxy").order_by("proxy__name")
    ]


def _encoded(compared: ComparedAnswer) -> str:
    answer = compared.answer
    return json.dumps(
        {
            "answer": None if answer is None else [answer.output, answer.attributes, answer.words],
            "agreement": compared.agreement,
            "problem": compared.problem,
            "why": compared.why,
            "known": compared.explanation.known,
            "causes": compared.explanation.causes,
        }
    )


def _decoded(answer: SharedAnswer, still_open: bool) -> ComparedAnswer:
    if answer.answered_at is None:
        problem = "" if still_open else "The panel was stopped before a reply arrived."
        return ComparedAnswer(answer.proxy, None, Agreement.UNKNOWN, problem, is_awaited=still_open)
    found = json.loads(answer.text)
    if "answer" not in found:
        # What an answer is stored as belongs to one version of the panel; this one is from before an upgrade.
        problem = "This was asked by another version of the panel. Query again."
        return ComparedAnswer(answer.proxy, None, Agreement.UNKNOWN, problem)
    return ComparedAnswer(
        answer.proxy,
        None if found["answer"] is None else TranslationAnswer(*found["answer"]),
        Agreement(found["agreement"]),
        found["problem"],
        found["why"],
        Explanation(tuple(found["known"]), tuple(found["causes"])),
    )


def _ask(client: MiClient, dpid: int, dry_run: DryRun) -> tuple[TranslationAnswer, Loads]:
    """The proxy's translation; and where that differs, what it reports of its loads."""
    ends_at = time.monotonic() + client.timeout
    answer = translate_on(client, dpid, dry_run.text)
    left = ends_at - time.monotonic()
    if answer.agreement(dry_run) is not Agreement.DIFFERENT or left <= 0:
        return answer, Loads()
    try:
        reports = client.sr_list_reports("dialplan", timeout=left)
    except MiError:
        return answer, Loads()
    return answer, loads_of(reports.of("dialplan", _PARTITION))


def _compared(
    result: Answer[tuple[TranslationAnswer, Loads]],
    dry_run: DryRun,
    change: TableChange | None,
    now: datetime,
) -> ComparedAnswer:
    if result.error is not None:
        return ComparedAnswer(result.proxy, None, Agreement.UNKNOWN, str(result.error))
    answer, loads = result.value
    match answer.agreement(dry_run):
        case Agreement.SAME | Agreement.POSSIBLE as agreement:
            return ComparedAnswer(result.proxy, answer, agreement)
        case Agreement.UNKNOWN:
            return ComparedAnswer(result.proxy, answer, Agreement.UNKNOWN, why=dry_run.words)
        case Agreement.DIFFERENT:
            by = panel_reload(result.proxy.name, loads)
            explanation = explained(loads, change, dry_run, now, by)
            return ComparedAnswer(result.proxy, answer, Agreement.DIFFERENT, explanation=explanation)
