"""Asking proxies for a translation by dp_translate, and holding their answers against the preview."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dialplan.cases.running import CheckedCase
from dialplan.trying import Tried
from efcp.audit.models import AuditRecord
from efcp.mi import MiClient, MiError, RefusedError
from efcp.proxies.asking import Answer, Target, ask_all, target_of
from efcp.proxies.models import Proxy

LIMIT_S = 3.0
_NO_TRANSLATION = 404
_UNKNOWN_COMMAND = -32601
_RECENT_CHANGES = 200


class Agreement(StrEnum):
    """Whether a proxy and the preview give the same."""

    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Said:
    """What a proxy made of an input: `output` is None where it has no translation; `words` are its own."""

    output: str | None
    attributes: str = ""
    words: str = ""

    def agreement(self, tried: Tried) -> Agreement:
        """Whether the preview gives the same output and attributes."""
        if not tried.is_certain:
            return Agreement.UNKNOWN
        same = (self.output, self.attributes) == (tried.output, tried.attributes)
        return Agreement.SAME if same else Agreement.DIFFERENT


@dataclass(frozen=True, slots=True)
class Told:
    """What one proxy said of an input, or the `problem` for which it said nothing; `why` it differs."""

    proxy: Proxy
    said: Said | None
    agreement: Agreement
    problem: str = ""
    why: str = ""


def say(client: MiClient, dpid: int, text: str) -> Said:
    """Ask for one translation. Raises MiError where the proxy does not answer, or has no dialplan."""
    try:
        found = client.dp_translate(dpid, text)
    except RefusedError as error:
        if error.code == _NO_TRANSLATION:
            return Said(None, words=error.message)
        raise
    return Said(found.output, found.attributes)


def ask_cases(client: MiClient, checked: Sequence[CheckedCase], limit_s: float) -> list[Said | None]:
    """Ask for each case within `limit_s` seconds for all of them; None where one was not asked.

    One that would crash the proxy is not. Raises MiError where the proxy does not answer.
    """
    ends_at = time.monotonic() + limit_s
    return [
        say(client, each.case.dpid, each.case.input)
        if not each.tried.crashes and time.monotonic() < ends_at
        else None
        for each in checked
    ]


def ask_proxies(proxies: Iterable[Proxy], dpid: int, tried: Tried) -> list[Told]:
    """Ask all proxies at once for the input of `tried`, and compare. One that would crash is not asked."""
    targets = [target_of(proxy) for proxy in proxies]
    if tried.crashes:
        problem = "Not asked: the rules in the table would crash it over this input."
        return [Told(target.proxy, None, Agreement.UNKNOWN, problem) for target in targets]
    changed_at = _changed_at(dpid)

    def question(client: MiClient, _target: Target) -> tuple[Said, datetime | None]:
        return say(client, dpid, tried.text), _loaded_at(client)

    return [_told(answer, tried, changed_at) for answer in ask_all(targets, question, LIMIT_S)]


def _told(answer: Answer[tuple[Said, datetime | None]], tried: Tried, changed_at: datetime | None) -> Told:
    if answer.error is not None:
        return Told(answer.proxy, None, Agreement.UNKNOWN, _problem(answer.error))
    said, loaded_at = answer.value
    agreement = said.agreement(tried)
    why = _why(loaded_at, changed_at) if agreement is Agreement.DIFFERENT else ""
    return Told(answer.proxy, said, agreement, why=why)


def _problem(error: MiError) -> str:
    if isinstance(error, RefusedError) and error.code == _UNKNOWN_COMMAND:
        return "Its script does not load the module dialplan."
    return str(error)


def _why(loaded_at: datetime | None, changed_at: datetime | None) -> str:
    if loaded_at is None:
        return "It does not report when it loaded its rules: reload it, and ask again."
    if changed_at is not None and loaded_at < changed_at:
        return "Not reloaded since a rule of this dialplan was changed here."
    return (
        "It was reloaded after the last change made here: the table was changed by other hands, a recurrence "
        "applies at its own clock or zone, or it reads another table."
    )


def _loaded_at(client: MiClient) -> datetime | None:
    """When the proxy loaded its rules, by its own clock; the reports of 3.4 and later tell it."""
    try:
        found = client.sr_list_reports("dialplan")
    except MiError:
        return None
    loads = [report.at for each in found.identifiers for report in each.reports if report.load_count()]
    return max(loads, default=None)


def _changed_at(dpid: int) -> datetime | None:
    """When the newest change of a rule of this dialplan was made in the panel."""
    records = AuditRecord.objects.filter(subject_kind="dialplan").order_by("-pk")[:_RECENT_CHANGES]
    changes = (
        record.at
        for record in records
        if dpid in {(record.before or {}).get("dpid"), (record.after or {}).get("dpid")}
    )
    return next(changes, None)
