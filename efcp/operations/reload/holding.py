"""What proxies hold of the dialplan, as far as MI tells: counts of their last load, and the test cases."""

from dataclasses import dataclass
from datetime import datetime

from dialplan.asking import Said, ask_cases
from dialplan.cases.running import run_cases
from dialplan.cases.selectors import all_cases
from efcp.mi import MiClient, RefusedError
from efcp.mi.reports import LoadCount
from efcp.operations.models import Module
from efcp.operations.reload.dialplan import CASES_LIMIT_S, IDENTIFIER, differing_cases
from efcp.proxies.asking import Target, ask_all, target_of
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import proxies_for_all

MAX_ASKED = 200
"""Proxies that are asked at once."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One proxy: the counts of its last load and when that was by its clock, and the cases that differ."""

    proxy: Proxy
    count: LoadCount | None = None
    loaded_at: datetime | None = None
    cases: int = 0
    differing: tuple[str, ...] = ()
    problem: str = ""


def holdings() -> list[Holding]:
    """Ask all proxies at once."""
    checked = run_cases(all_cases())

    def question(
        client: MiClient, _target: Target
    ) -> tuple[list[Said | None], LoadCount | None, datetime | None]:
        return ask_cases(client, checked, CASES_LIMIT_S), *_last_load(client)

    found = []
    for answer in ask_all(map(target_of, proxies_for_all()[:MAX_ASKED]), question):
        if answer.error is not None:
            found.append(Holding(answer.proxy, problem=str(answer.error)))
            continue
        said, count, loaded_at = answer.value
        asked = sum(each is not None for each in said)
        found.append(Holding(answer.proxy, count, loaded_at, asked, tuple(differing_cases(checked, said))))
    return found


def _last_load(client: MiClient) -> tuple[LoadCount | None, datetime | None]:
    try:
        found = client.sr_list_reports(Module.DIALPLAN.value, IDENTIFIER).of(
            Module.DIALPLAN.value, IDENTIFIER
        )
    except RefusedError:
        return None, None
    loads = [(report.load_count(), report.at) for report in found.reports] if found else []
    told = [(count, at) for count, at in loads if count is not None]
    return told[-1] if told else (None, None)
