"""What proxies hold of the dialplan: the loads that the watcher stored, and test cases run on them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from dialplan.cases.running import run_cases
from dialplan.cases.selectors import all_cases
from dialplan.proxy_check import TranslationAnswer, ask_cases
from dialplan.reloading import CASES_LIMIT_S, differing_cases
from efcp.mi import MiClient
from efcp.proxies.fan_out import Answer, target_of
from efcp.proxies.load_reports import LastLoad
from efcp.proxies.loads import last_loads
from efcp.proxies.models import Proxy, SharedAnswer, SharedQuestion
from efcp.proxies.selectors import proxies_for_all
from efcp.proxies.shared_questions import Survey, begin, is_open, key_of

MAX_PROXIES = 200
"""The most proxies that are shown and queried."""

KEY = key_of("cases")


@dataclass(frozen=True, slots=True)
class RulesOnProxy:
    """One proxy: its last load as the watcher stored it, None where unknown, and the cases that differ.

    `is_answered`: the cases were run on it; `is_awaited`: they are being run.
    """

    proxy: Proxy
    load: LastLoad | None = None
    cases: int = 0
    differing: tuple[str, ...] = ()
    problem: str = ""
    is_answered: bool = False
    is_awaited: bool = False


def latest_question() -> SharedQuestion | None:
    """The latest question for all saved test cases."""
    return SharedQuestion.objects.filter(key=KEY).first()


def loaded_rules(question: SharedQuestion | None) -> Iterator[RulesOnProxy]:
    """Each proxy from what is stored; no proxy is queried."""
    proxies = list(proxies_for_all()[:MAX_PROXIES])
    loads = last_loads(proxies, "dialplan")
    answers = {each.proxy_id: each for each in question.answers.all()} if question else {}
    still_open = is_open(question)
    for proxy in proxies:
        yield _loaded(proxy, loads.get(proxy.pk), answers.get(proxy.pk), still_open)


def ask_all_cases(actor: str) -> SharedQuestion:
    """Begin to ask all proxies for the saved test cases. Raises QuestionsBusyError."""
    checked = run_cases(all_cases())

    def question(client: MiClient) -> list[TranslationAnswer | None]:
        return ask_cases(client, checked, CASES_LIMIT_S)

    def encode(answer: Answer[list[TranslationAnswer | None]]) -> str:
        if answer.error is not None:
            return json.dumps({"problem": str(answer.error)})
        answers = answer.value
        count = sum(each is not None for each in answers)
        return json.dumps({"cases": count, "differing": list(differing_cases(checked, answers))})

    targets = [target_of(proxy) for proxy in proxies_for_all()[:MAX_PROXIES]]
    survey = Survey(KEY, "Test cases on all proxies", targets, question, encode, 3.0, CASES_LIMIT_S)
    return begin(survey, actor)


def _loaded(
    proxy: Proxy, load: LastLoad | None, answer: SharedAnswer | None, still_open: bool
) -> RulesOnProxy:
    if answer is None:
        return RulesOnProxy(proxy, load)
    if answer.answered_at is None:
        problem = "" if still_open else "The panel was stopped before a reply arrived."
        return RulesOnProxy(proxy, load, problem=problem, is_answered=not still_open, is_awaited=still_open)
    found = json.loads(answer.text)
    differing = tuple(found.get("differing", ()))
    return RulesOnProxy(
        proxy, load, found.get("cases", 0), differing, found.get("problem", ""), is_answered=True
    )
