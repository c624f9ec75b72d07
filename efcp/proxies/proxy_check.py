"""Testing a proxy: who answers there, and can the panel do with it what it is for. Nothing is stored."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from efcp.clock import in_words
from efcp.figures import counted
from efcp.mi import MiClient, NotMiError, RefusedError, not_offered
from efcp.proxies.fan_out import DEFAULT_LIMIT_S, Answer, Target, ask
from efcp.proxies.memory import UnusableListError, memory_of

NEEDED_COMMANDS = {
    "ds_list": "dispatcher:list",
    "ds_reload": "dispatcher:reload",
    "ds_set_state": "dispatcher:set_state",
    "dp_reload": "dialplan:reload",
}
"""The commands that the panel uses, with their names in the list of OpenSIPS 4.0."""

_SHORTEST_LIMIT_S = 0.05


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One step of the test: its purpose, whether it is fine, and its outcome."""

    subject: str
    good: bool
    text: str
    excerpt: str = ""
    """The beginning of an answer that is no MI, for administrators alone."""


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """What a good reply says, and whether it is enough for the panel."""

    text: str
    good: bool = True


@dataclass(frozen=True, slots=True)
class ProxyCheck:
    """What a test found, and the milliseconds of the first round trip (None where nothing answered)."""

    findings: tuple[CheckResult, ...]
    round_trip_ms: float | None

    @property
    def good(self) -> bool:
        """Whether the panel can work with this proxy."""
        return all(finding.good for finding in self.findings)


def check_proxy(target: Target, limit_s: float = DEFAULT_LIMIT_S) -> ProxyCheck:
    """Ask for version, uptime, commands and destinations, all within `limit_s` seconds together.

    A refusal is a finding; where nothing speaks MI, the test stops.
    """
    deadline = time.monotonic() + limit_s
    findings: list[CheckResult] = []
    round_trip_ms = None
    for subject, question in _questions(target):
        answer = ask(target, question, max(_SHORTEST_LIMIT_S, deadline - time.monotonic()))
        findings.append(_finding(subject, answer))
        if answer.error is not None and not isinstance(answer.error, RefusedError):
            break
        if round_trip_ms is None:
            round_trip_ms = answer.took * 1000
    return ProxyCheck(tuple(findings), round_trip_ms)


def _questions(target: Target) -> tuple[tuple[str, Callable[[MiClient], CheckVerdict]], ...]:
    return (
        ("Version", _version),
        ("Uptime", _uptime),
        ("Commands", _commands),
        ("Destinations", lambda client: _destinations(client, target.partition)),
    )


def _finding(subject: str, answer: Answer[CheckVerdict]) -> CheckResult:
    if answer.error is not None:
        excerpt = answer.error.excerpt if isinstance(answer.error, NotMiError) else ""
        return CheckResult(subject, False, str(answer.error), excerpt)
    return CheckResult(subject, answer.value.good, answer.value.text)


def _version(client: MiClient) -> CheckVerdict:
    found = client.version()
    return CheckVerdict(f"{found.server} {found.version} ({found.platform})")


def _uptime(client: MiClient) -> CheckVerdict:
    return CheckVerdict(in_words(timedelta(seconds=client.uptime().up_time_s)))


def _commands(client: MiClient) -> CheckVerdict:
    offered = set(client.which().names)
    missing = [old for old, new in NEEDED_COMMANDS.items() if not {old, new} & offered]
    if missing:
        return CheckVerdict(" ".join(not_offered(method) for method in missing), good=False)
    return CheckVerdict(f"All needed commands available ({', '.join(NEEDED_COMMANDS)}).")


def _destinations(client: MiClient, partition: str) -> CheckVerdict:
    try:
        memory = memory_of(client.ds_list(partition=partition), partition)
    except UnusableListError as error:
        return CheckVerdict(str(error), good=False)
    count = len(memory.destinations)
    sets = len({destination.setid for destination in memory.destinations})
    return CheckVerdict(f"{counted(count, 'destination')} in {counted(sets, 'set')}, partition {partition}.")
