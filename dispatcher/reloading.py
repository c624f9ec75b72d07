"""Reloading the dispatcher: ds_reload, ds_list read back, and each remaining difference with its reason."""

from collections.abc import Iterable, Iterator
from typing import Any

from dispatcher.change import Change
from dispatcher.changes import ProxyChanges, breaking_rows, compare, names_now, read_table
from dispatcher.load_prediction import PredictedFinding
from dispatcher.loaded import rows_to_keep
from dispatcher.routing.findings import RowEffect
from dispatcher.table_names import TableNames
from efcp.mi import MiClient
from efcp.modules.registry import ReloadOutcome
from efcp.modules.reloading import (
    READ_BACK_LIMIT_S,
    ReadBack,
    ReloadCommand,
    ReloadReply,
    record_load,
    reload_and_read_back,
)
from efcp.proxies.fan_out import Target
from efcp.proxies.models import Proxy
from efcp.proxies.polling import Poll, PollRequest
from efcp.proxies.selectors import watched_proxies
from efcp.proxies.visits import store_answer
from efcp.sip.uri import uri_key


class DispatcherReload:
    """ds_reload with or without the states in memory."""

    read_back_limit_s = READ_BACK_LIMIT_S

    def __init__(self, inherit_state: bool) -> None:
        self._inherit_state = inherit_state
        self._names = TableNames()
        self._rows: list[tuple[Any, ...]] = []

    def blocked(self, proxies: Iterable[Proxy]) -> dict[int, str]:
        """By proxy id the row over which its whole reload would fail."""
        ids = {proxy.pk for proxy in proxies}
        breaking = breaking_rows([each for each in watched_proxies() if each.proxy.pk in ids])
        return {
            proxy_id: f"Row {row.id} in set {row.setid}, {finding.column}: {finding.text}"
            for proxy_id, (row, finding) in breaking.items()
        }

    def prepare(self) -> None:
        """Look the table's names up, as the proxies are about to, and read the rows that they will load."""
        self._names = names_now()
        self._rows = rows_to_keep(read_table())

    def reload(self, target: Target) -> ReloadReply[Poll]:
        """Send ds_reload, then ask for the list and the reports."""

        def send(client: MiClient, limit_s: float) -> object:
            return client.ds_reload(
                partition=target.partition, inherit_state=self._inherit_state, timeout=limit_s
            )

        question = PollRequest(partition=target.partition)
        return reload_and_read_back(target, ReloadCommand("dispatcher", target.partition, send, question))

    def store(self, reply: ReloadReply[Poll]) -> ReadBack:
        """Store the list; count what a further reload would change, and name it with its reason.

        Rows that the proxy drops for a reason known here do not count, nor do names: it has just looked
        them up itself.
        """
        problem = store_answer(reply.read_back).problem
        if problem:
            return ReadBack(None, problem)
        if reply.outcome is ReloadOutcome.DONE:
            self._record(reply)
        watched = [
            each for each in watched_proxies(enabled_only=False) if each.proxy.pk == reply.target.proxy.pk
        ]
        (changes,) = compare(watched, self._names)
        if changes.not_compared:
            return ReadBack(None, notes=(changes.not_compared,))
        differs = changes.added.count + changes.changed.count + changes.removed.count
        if reply.outcome is not ReloadOutcome.DONE:
            return ReadBack(differs)
        discarded = reply.reports.count.discarded if reply.reports.count else None
        return ReadBack(differs, notes=_notes(changes, self._names, discarded))

    def _record(self, reply: ReloadReply[Poll]) -> None:
        """Remember the rows that the proxy loaded: those of the table, if they are the same as before."""
        table = read_table()
        destinations = reply.read_back.value.snapshot.memory.destinations
        record_load(
            reply,
            "dispatcher",
            rows=self._rows if rows_to_keep(table) == self._rows else None,
            fits=all(destination.identity in table for destination in destinations),
        )


MOST_NOTES = 100


def _notes(changes: ProxyChanges, names: TableNames, discarded: int | None) -> tuple[str, ...]:
    """A sentence for each of `changes` that the reload left, at most MOST_NOTES and one that counts the rest.

    `discarded` is how many rows the proxy reports to have dropped, None without a report.
    """
    found = list(_sentences(changes, names))
    total = (
        len(found)
        + changes.added.unshown
        + changes.changed.unshown
        + changes.removed.unshown
        + changes.warning_count
        - len(changes.warnings)
    )
    dropped = [each for each in changes.warnings if _is_dropped(each)]
    missing = len(dropped) + changes.added.count + changes.warning_count - len(changes.warnings)
    if discarded is not None and discarded > missing:
        found.insert(0, f"The proxy rejected {discarded} rows; {missing} of them are listed here.")
        total += 1
    if total > MOST_NOTES:
        return (*found[: MOST_NOTES - 1], f"and {total - MOST_NOTES + 1:,} more")
    return tuple(found)


def _sentences(changes: ProxyChanges, names: TableNames) -> Iterator[str]:
    for each in changes.warnings:
        what = "not loaded" if _is_dropped(each) else "loaded with other values"
        yield f"Set {each.row.setid}, {each.row.destination or 'empty'}: {what}. {each.finding.text}"
    for change in changes.added.shown:
        yield f"{_named(change)}: not loaded. {_unexplained(change, names)}"
    for change in changes.changed.shown:
        yield f"{_named(change)}: {', '.join(map(str, change.differences))}."
    for change in changes.removed.shown:
        yield f"{_named(change)}: still in memory, deleted from the table."
    for change in changes.names.dropped.shown:
        yield f"{_named(change)}: loaded, although the panel's resolver can't find the name."
    for change in changes.names.moved.shown:
        for difference in change.differences:
            yield (
                f"{_named(change)}: the proxy loaded {difference.memory}, the panel's resolver returns"
                f" {difference.table}."
            )


def _unexplained(change: Change, names: TableNames) -> str:
    name = names.by_key.get(uri_key(change.uri.rstrip(" ")))
    if name is None:
        return "No error known; check the proxy's log."
    if name.addresses:
        return f"{name.host} resolves here; the proxy's resolver may not find it."
    return f"{name.host} could not be resolved here; the proxy may have failed too."


def _is_dropped(predicted: PredictedFinding) -> bool:
    return predicted.finding.effect is RowEffect.DROPPED


def _named(change: Change) -> str:
    return f"Set {change.setid}, {change.uri}"
