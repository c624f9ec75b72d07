"""Reloading the dispatcher: ds_reload, ds_list read back, and the drift that is left."""

from collections.abc import Iterable
from typing import Any

from dispatcher.changes import breaking_rows, compare, names_now, read_table
from dispatcher.loaded import rows_to_keep
from dispatcher.table_names import TableNames
from efcp.mi import MiClient
from efcp.operations.reloads import left_over
from efcp.operations.reloads.asking import Exchange, Reloaded, record_load, reload_and_read_back
from efcp.operations.reloads.kinds import ReadBack
from efcp.operations.reloads.models import Module, ReloadOutcome
from efcp.proxies.fan_out import Target
from efcp.proxies.models import Proxy
from efcp.proxies.polling import Poll, PollRequest
from efcp.proxies.selectors import watched_proxies
from efcp.proxies.visits import store_answer


class DispatcherReload:
    """ds_reload with or without the states in memory."""

    def __init__(self, inherit_state: bool) -> None:
        self._inherit_state = inherit_state
        self._names = TableNames()
        self._rows: list[tuple[Any, ...]] = []

    def not_to_send(self, proxies: Iterable[Proxy]) -> dict[int, str]:
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

    def ask(self, target: Target) -> Reloaded[Poll]:
        """Send ds_reload, then ask for the list and the reports."""

        def reload(client: MiClient, limit_s: float) -> object:
            return client.ds_reload(
                partition=target.partition, inherit_state=self._inherit_state, timeout=limit_s
            )

        question = PollRequest(partition=target.partition)
        return reload_and_read_back(target, Exchange(Module.DISPATCHER, target.partition, reload, question))

    def store(self, reloaded: Reloaded[Poll]) -> ReadBack:
        """Store the list; count what a further reload would change, and name it with its reason.

        Rows that the proxy drops for a reason known here do not count, nor do names: it has just looked
        them up itself.
        """
        problem = store_answer(reloaded.read_back).problem
        if problem:
            return ReadBack(None, problem)
        if reloaded.outcome is ReloadOutcome.DONE:
            self._record(reloaded)
        watched = [
            each for each in watched_proxies(enabled_only=False) if each.proxy.pk == reloaded.target.proxy.pk
        ]
        (changes,) = compare(watched, self._names)
        if changes.not_compared:
            return ReadBack(None, notes=(changes.not_compared,))
        differs = changes.added.count + changes.changed.count + changes.removed.count
        if reloaded.outcome is not ReloadOutcome.DONE:
            return ReadBack(differs)
        discarded = reloaded.reports.count.discarded if reloaded.reports.count else None
        return ReadBack(differs, notes=left_over.notes(changes, self._names, discarded))

    def _record(self, reloaded: Reloaded[Poll]) -> None:
        """Remember the rows that the proxy loaded: those of the table, if they are the same as before."""
        table = read_table()
        held = reloaded.read_back.value.snapshot.memory.destinations
        record_load(
            reloaded,
            Module.DISPATCHER,
            rows=self._rows if rows_to_keep(table) == self._rows else None,
            fits=all(destination.identity in table for destination in held),
        )
