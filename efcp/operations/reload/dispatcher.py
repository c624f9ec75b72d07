"""Reloading the dispatcher: ds_reload, ds_list read back, and the drift that is left."""

from collections.abc import Iterable

from dispatcher.changes import breaking_rows, compare, names_now
from dispatcher.table_names import TableNames
from efcp.mi import MiClient
from efcp.operations.models import Module, ReloadOutcome
from efcp.operations.reload import left_over
from efcp.operations.reload.asking import Exchange, Reloaded, reload_and_read_back
from efcp.operations.reload.kinds import ReadBack
from efcp.proxies.asking import Target
from efcp.proxies.models import Proxy
from efcp.proxies.polling import Poll, Question, store_answer
from efcp.proxies.selectors import watched_proxies


class DispatcherReload:
    """ds_reload with or without the states in memory."""

    def __init__(self, inherit_state: bool) -> None:
        self._inherit_state = inherit_state
        self._names = TableNames()

    def not_to_send(self, proxies: Iterable[Proxy]) -> dict[int, str]:
        """By proxy id the row over which its whole reload would fail."""
        ids = {proxy.pk for proxy in proxies}
        breaking = breaking_rows([each for each in watched_proxies() if each.proxy.pk in ids])
        return {
            proxy_id: f"Row {row.id} in set {row.setid}, {finding.column}: {finding.text}"
            for proxy_id, (row, finding) in breaking.items()
        }

    def prepare(self) -> None:
        """Look the table's names up, as the proxies are about to."""
        self._names = names_now()

    def ask(self, target: Target) -> Reloaded[Poll]:
        """Send ds_reload, then ask for the list and the reports."""

        def reload(client: MiClient, limit_s: float) -> object:
            return client.ds_reload(
                partition=target.partition, inherit_state=self._inherit_state, timeout=limit_s
            )

        question = Question(partition=target.partition)
        return reload_and_read_back(target, Exchange(Module.DISPATCHER, target.partition, reload, question))

    def store(self, reloaded: Reloaded[Poll]) -> ReadBack:
        """Store the list; count what a further reload would change, and name it with its reason.

        Rows that the proxy drops for a reason known here do not count, nor do names: it has just looked
        them up itself.
        """
        problem = store_answer(reloaded.read_back).problem
        if problem:
            return ReadBack(None, problem)
        watched = [
            each for each in watched_proxies(enabled_only=False) if each.proxy.pk == reloaded.target.proxy.pk
        ]
        (changes,) = compare(watched, self._names)
        differs = changes.added.count + changes.changed.count + changes.removed.count
        if reloaded.outcome is not ReloadOutcome.DONE:
            return ReadBack(differs)
        discarded = reloaded.reports.count.discarded if reloaded.reports.count else None
        return ReadBack(differs, notes=left_over.notes(changes, self._names, discarded))
