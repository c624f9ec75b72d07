"""Findings that a script says to be meant: `# efcp: accept threshold-low - one is what we want`.

Errors can't be accepted: a proxy does not start over a comment. What is accepted is counted, and an
acceptance that fits nothing is told, so that none outlives its reason.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from efcp.script.findings import Finding, Severity
from efcp.script.language.syntax import Accept


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a script, and what of that it says to be meant."""

    findings: tuple[Finding, ...]
    accepted: tuple[Finding, ...] = ()


def accept(findings: Iterable[Finding], accepts: Sequence[Accept]) -> Checked:
    """Take out what is accepted; add a hint for each code of an acceptance that fits nothing."""
    left: list[Finding] = []
    accepted: list[Finding] = []
    used: set[tuple[Accept, str]] = set()
    for finding in findings:
        fitting = {(each, finding.code) for each in accepts if _fits(each, finding)}
        used |= fitting
        (accepted if fitting else left).append(finding)
    return Checked((*left, *_unused(accepts, used)), tuple(accepted))


def _fits(accept: Accept, finding: Finding) -> bool:
    if finding.severity is Severity.ERROR or finding.code not in accept.codes:
        return False
    if accept.following is None:
        return finding.place.file == accept.place.file
    return finding.place in (accept.place, accept.following)


def _unused(accepts: Iterable[Accept], used: set[tuple[Accept, str]]) -> Iterator[Finding]:
    for each in accepts:
        for code in each.codes:
            if (each, code) not in used:
                text = f"Nothing of the code {code} is found here that could be accepted: take this out."
                yield Finding(Severity.HINT, "accept-unused", each.place, text)
