"""What is wrong, or surprising, about a row before it is saved.

An error stops the save: a proxy would drop the row, break its reload over it, cut a value or build a wrong
next hop (`must` in the recorded acceptance vectors). A warning does not: it explains what the proxy will do.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dispatcher.routing.findings import RowEffect
from dispatcher.routing.findings import RowFinding as LoaderFinding
from dispatcher.routing.loading import Environment, LoadBrokenError, Resolve, load_row
from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.weights import shares
from dispatcher.shares import MAX_WEIGHT, number_of
from dispatcher.table import DESTINATIONS
from efcp.editing.findings import Finding, Severity, Unstorable, column_named_in, text_findings
from efcp.figures import percent_text
from efcp.releases import STRICTEST
from efcp.sip.uri import same_uri

MAX_WRONG_SHARES = 4
NOTICEABLE_PERCENT = 1.0
PLACEHOLDER = "sip:192.0.2.1"
"""Stands for a destination that was refused already, so that the other columns can be judged."""
_FS_WEIGHT = re.compile(r"fs://(?:[^@:/\s]*:[^@\s]*@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?\Z")


_SEVERITY = {
    RowEffect.RELOAD_FAILS: Severity.ERROR,
    RowEffect.DROPPED: Severity.ERROR,
    RowEffect.MISLOADED: Severity.ERROR,
    RowEffect.SURPRISE: Severity.WARNING,
}


@dataclass(frozen=True, slots=True)
class SetOfRow:
    """Sums over the rows of a set as they stand in the table: count, loaded weights, active ones.

    `left_out` are the ids of rows that no load would take: they have part in `rows` only. `proxy` is the one
    whose states count, empty where none answers.
    """

    rows: int
    weight: int
    active: int
    left_out: frozenset[int] = frozenset()
    proxy: str = ""


@dataclass(frozen=True, slots=True)
class FormEnvironment:
    """What the checks need to know of the world, handed in.

    `resolve` answers None where a name could not be looked up. `unstorable` returns the characters of a text
    that the column lacks; `rows_of_set` the rows of a set by id; `duplicate` the id of another row with this
    set and URI, given the row's own id.
    """

    resolve: Resolve
    known_sockets: Callable[[], Sequence[str]]
    unstorable: Unstorable
    set_of: Callable[[int], SetOfRow]
    rows_of_set: Callable[[int], Sequence[DestinationRow]]
    duplicate: Callable[[int, str, int | None], int | None]


def check(
    values: Mapping[str, Any], environment: FormEnvironment, before: DestinationRow | None = None
) -> Iterator[Finding]:
    """Yield the findings about `values`, by column; a column that is missing was refused already.

    `before` is the stored row where one is edited.
    """
    unstorable = list(text_findings("dispatcher", DESTINATIONS.widths, values, environment.unstorable))
    yield from unstorable
    if not unstorable:
        yield from _as_loaded(values, environment)
        yield from _fs_weight(values.get("weight", ""))
        yield from _attributes(values.get("attrs") or "")
    if "setid" in values:
        yield from _set(values, environment, before)


def _as_loaded(values: Mapping[str, Any], environment: FormEnvironment) -> Iterator[Finding]:
    """What the loader says of the row; a column that was refused already has the table's default instead."""
    columns = {name: values[name] for name in DestinationRow.__slots__ if values.get(name) is not None}
    given: dict[str, Any] = {"setid": 0, "destination": PLACEHOLDER} | columns
    row = DestinationRow(**given)
    listeners = tuple(environment.known_sockets()) if row.socket else ()
    # The strictest release: what it refuses would break some proxy's reload.
    loader = Environment(resolve=environment.resolve, listeners=listeners, release=STRICTEST)
    found: list[LoaderFinding] = []
    try:
        load_row(row, loader, found)
    except LoadBrokenError as error:
        found.append(error.finding)
    for finding in found:
        yield Finding(finding.column, _SEVERITY[finding.effect], finding.text, finding.code)


def _fs_weight(weight: str) -> Iterator[Finding]:
    text = weight.rstrip(" ")
    if text.startswith("fs://") and not _FS_WEIGHT.match(text):
        yield Finding("weight", Severity.ERROR, "Expected fs://user:password@host:port.")
    elif text == "0":
        yield Finding(
            "weight",
            Severity.WARNING,
            "Weight 0: receives calls only as failover, or if all weights in the set are 0.",
        )


def _attributes(attributes: str) -> Iterator[Finding]:
    if column := column_named_in(attributes, ("weight", "socket", "priority", "probe_mode", "state")):
        message = f"OpenSIPS does not interpret attributes: {column} has its own field."
        yield Finding("attrs", Severity.WARNING, message, "attribute_is_column")


def _set(
    values: Mapping[str, Any], environment: FormEnvironment, before: DestinationRow | None
) -> Iterator[Finding]:
    own_id = before.id if before else None
    setid = values["setid"]
    if values.get("destination"):
        yield from _twin(values, environment, before)
    others = _without(environment.set_of(setid), before if before and before.setid == setid else None)
    yield from _shares(values, others, environment, own_id)
    yield from _who_takes_calls(values, others)
    if before and "state" in values and values["state"] != before.state:
        yield Finding(
            "state",
            Severity.WARNING,
            "Proxies that have this destination keep its state, even on reload."
            " To change it now, change the live state.",
        )


def duplicate_text(other_id: int | None) -> str:
    """Why a second row of one set and URI is refused, and how to have one over another socket.

    None is a row that is added with this one.
    """
    other = "Another new row" if other_id is None else f"Row {other_id}"
    return (
        f"{other} already has this set and URI. To use another socket as well, make the URIs differ"
        " by a parameter the gateway ignores, such as ;path=b."
    )


def _twin(
    values: Mapping[str, Any], environment: FormEnvironment, before: DestinationRow | None
) -> Iterator[Finding]:
    """Another row of this set and URI: an error where the edit makes one, a warning where one was there."""
    setid, uri = values["setid"], values["destination"].rstrip(" ")
    other = environment.duplicate(setid, uri, before.id if before else None)
    if other is None:
        return
    if before is None or before.setid != setid or not same_uri(before.destination, uri):
        yield Finding("destination", Severity.ERROR, duplicate_text(other), "duplicate")
        return
    yield Finding(
        "destination",
        Severity.WARNING,
        f"Row {other} has the same set and URI; only the first can be changed over MI.",
        "duplicate",
    )


def _without(total: SetOfRow, before: DestinationRow | None) -> SetOfRow:
    """The sums over the other rows of the set."""
    if before is None:
        return total
    if before.id in total.left_out:
        return replace(total, rows=max(0, total.rows - 1))
    return SetOfRow(
        rows=max(0, total.rows - 1),
        weight=max(0, total.weight - number_of(before.weight)),
        active=max(0, total.active - (before.state == 0)),
        proxy=total.proxy,
    )


def _shares(
    values: Mapping[str, Any], others: SetOfRow, environment: FormEnvironment, own_id: int | None
) -> Iterator[Finding]:
    if "weight" not in values:
        return
    own = number_of(values["weight"])
    total = others.weight + own
    if total <= MAX_WEIGHT:
        return
    yield Finding(
        "weight",
        Severity.WARNING,
        f"The set's weights would add up to {total:,}. The proxy wraps around at 65,535, so call shares"
        f" would be wrong: {_wrong_shares(values, environment.rows_of_set(values['setid']), own_id)}.",
        "overflow",
    )


def _wrong_shares(values: Mapping[str, Any], rows: Sequence[DestinationRow], own_id: int | None) -> str:
    """Which destinations would get another share than their weight asks for, the worst first."""
    own = DestinationRow(
        values["setid"],
        values.get("destination", ""),
        priority=values.get("priority") or 0,
        weight=values["weight"],
        id=own_id,
    )
    members = [row for row in rows if own_id is None or row.id != own_id] + [own]
    members.sort(key=lambda row: -row.priority)
    weights = [number_of(row.weight) for row in members]
    got = shares(weights, [True] * len(weights)).by_weight
    total = sum(weights)
    wrong = [
        (abs(100 * float(share) - 100 * weight / total), row, 100 * float(share), 100 * weight / total)
        for row, weight, share in zip(members, weights, got, strict=True)
    ]
    wrong.sort(key=lambda each: -each[0])
    sentences = [
        f"{row.destination or 'this one'} gets {percent_text(gets)} % instead of {percent_text(expected)} %"
        for difference, row, gets, expected in wrong[:MAX_WRONG_SHARES]
        if difference >= NOTICEABLE_PERCENT
    ]
    return "; ".join(sentences) or "by less than 1 % each"


def _who_takes_calls(values: Mapping[str, Any], others: SetOfRow) -> Iterator[Finding]:
    if others.rows == 0:
        yield Finding("setid", Severity.WARNING, "The only destination in its set: there is no failover.")
    if values.get("state", 0) != 0 and others.active == 0:
        where = f" on {others.proxy}" if others.proxy else ""
        yield Finding("state", Severity.WARNING, f"No destination in this set would receive calls{where}.")
