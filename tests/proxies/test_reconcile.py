"""Properties of the pure reconcile: whatever was stored, the plan leads to the proxy's memory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from efcp.mi.replies import IdentifierReports, StatusReport
from efcp.proxies.flag_reports import PROBE_ANSWERED, PROBE_FAILED
from efcp.proxies.memory import (
    DispatcherReports,
    Identity,
    MemoryDestination,
    MemoryList,
    Probes,
    StoredDestination,
)
from efcp.proxies.reconcile import (
    LOST,
    Cause,
    ContactState,
    Continuity,
    Plan,
    ProxyAnswer,
    ProxyIdentity,
    StoredRows,
    StoreOutcome,
    read,
    reconcile,
)
from tests.factories import SnapshotFactory

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STATES = ("active", "inactive", "probing")
URIS = ("sip:a", "sip:b", "sip:c")


def at(seconds: float) -> datetime:
    """A moment after START."""
    return START + timedelta(seconds=seconds)


def memory(chosen: list[tuple[int, int, int]]) -> MemoryList:
    """A list of (set, number of the URI, number of the state); a URI may stand in a set twice."""
    destinations: list[MemoryDestination] = []
    for setid, uri, state in sorted(chosen, key=lambda each: each[0]):
        same = [each for each in destinations if (each.setid, each.uri) == (setid, URIS[uri])]
        position = sum(1 for each in destinations if each.setid == setid)
        destinations.append(
            MemoryDestination(
                setid, URIS[uri], len(same), URIS[uri], position, STATES[state], "", "", 1, 0, "", ()
            )
        )
    return MemoryList("default", tuple(destinations), (0,) * len(destinations), with_details=True)


def reported(flags: list[tuple[int, int, bool, str]], requested_at: datetime) -> DispatcherReports:
    """Reports of (second, number of the URI in set 1, whether active, reason)."""
    texts = (
        StatusReport(
            at(second),
            f"DESTINATION <{URIS[uri]}>, set 1 switched to [{'active' if active else 'inactive'}]"
            f" due to {reason}\n",
        )
        for second, uri, active, reason in sorted(flags, key=lambda each: each[0])
    )
    ring = IdentifierReports("dispatcher", "default;events", tuple(texts))
    return DispatcherReports(requested_at, ring, IdentifierReports("dispatcher", "default", ()))


class StoringPanel:
    """What a panel stores, with plans applied to plain values as `storing` applies them to rows."""

    def __init__(self) -> None:
        self.contact = ContactState()
        self.rows: dict[Identity, StoredDestination] = {}
        self.sets: dict[int, str] = {}
        self._next_id = 1

    def visit(
        self,
        second: float,
        found: MemoryList,
        flags: list[tuple[int, int, bool, str]] | None = None,
        identity: ProxyIdentity | None = None,
    ) -> Plan:
        """Read, reconcile and apply one answer that was requested at `second`."""
        reports = None if flags is None else reported(flags, at(second))
        snapshot = SnapshotFactory.build(memory=found, requested_at=at(second), reports=reports)
        answer = ProxyAnswer(snapshot, identity)
        reading = read(self.contact, answer, at(second) + timedelta(hours=1))
        plan = reconcile(reading, answer, StoredRows(self.rows, self.sets))
        self._apply(plan)
        return plan

    def _apply(self, plan: Plan) -> None:
        self.contact = plan.contact
        if plan.rows is None:
            return
        self.rows = {key: row for key, row in self.rows.items() if row.row_id not in plan.rows.delete}
        for new in plan.rows.insert:
            assert new.destination.identity not in self.rows
            self.rows[new.destination.identity] = StoredDestination(
                self._next_id, new.since, new.since_is_exact, new.destination, new.probes
            )
            self._next_id += 1
        for key, (since, exact) in plan.rows.since.items():
            self.rows[key] = self.rows[key]._replace(since=since, since_is_exact=exact)
        for setid in plan.rows.sets_gone:
            self.sets.pop(setid, None)
        assert not self.sets.keys() & plan.rows.sets_new.keys()
        self.sets.update(plan.rows.sets_new)


lists = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(0, 2)), max_size=8).map(memory)
reasons = st.sampled_from([PROBE_FAILED, PROBE_ANSWERED, "MI command", "replicated info", "something later"])
flag_lists = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2), st.booleans(), reasons), max_size=6)
visits = st.lists(st.tuples(lists, st.none() | flag_lists), min_size=1, max_size=6)


@given(visits)
def test_after_each_visit_the_rows_are_the_proxys_memory(
    answers: list[tuple[MemoryList, list[tuple[int, int, bool, str]] | None]],
) -> None:
    panel = StoringPanel()
    for number, (found, flags) in enumerate(answers):
        panel.visit(10 * number, found, flags)
        assert {row.destination for row in panel.rows.values()} == set(found.destinations)
        assert panel.sets == found.contents()
        assert panel.contact.sets_digest == found.digest()
        assert panel.contact.destination_count == len(found.destinations)


@given(visits)
def test_the_history_leads_from_each_list_to_the_next(
    answers: list[tuple[MemoryList, list[tuple[int, int, bool, str]] | None]],
) -> None:
    panel = StoringPanel()
    for number, (found, flags) in enumerate(answers):
        before = {key: row.destination.state for key, row in panel.rows.items()}
        plan = panel.visit(10 * number, found, flags)
        state = dict(before)
        for each in plan.history:
            assert state.get(each.destination.identity, "") == each.before != each.after
            assert at(10 * (number - 1)) <= each.at <= at(10 * number)
            state[each.destination.identity] = each.after
        if number:
            assert {key: word for key, word in state.items() if word} == {
                each.identity: each.state for each in found.destinations
            }
        else:
            assert not plan.history


@given(visits)
def test_no_state_began_after_the_list_that_shows_it_or_before_the_first(
    answers: list[tuple[MemoryList, list[tuple[int, int, bool, str]] | None]],
) -> None:
    panel = StoringPanel()
    for number, (found, flags) in enumerate(answers):
        panel.visit(10 * number, found, flags)
        for row in panel.rows.values():
            assert START <= row.since <= at(10 * number)


@given(lists, flag_lists)
def test_the_same_answer_once_more_writes_nothing_but_the_contact(
    found: MemoryList, flags: list[tuple[int, int, bool, str]]
) -> None:
    panel = StoringPanel()
    panel.visit(0, found, flags)
    panel.visit(2, found, flags)
    rows = panel.rows
    plan = panel.visit(4, found, flags)
    assert (plan.outcome, plan.rows, plan.history, plan.gap) == (StoreOutcome.UNCHANGED, None, (), None)
    assert panel.rows == rows


@given(lists, lists, st.integers(1, 3600))
def test_an_older_answer_is_dropped(newer: MemoryList, older: MemoryList, seconds: int) -> None:
    panel = StoringPanel()
    panel.visit(seconds, newer)
    contact, rows = panel.contact, panel.rows
    assert panel.visit(0, older).outcome is StoreOutcome.OUTDATED
    assert (panel.contact, panel.rows) == (contact, rows)


@given(lists, lists, st.integers(1, 3600), st.none() | flag_lists)
def test_a_time_without_lists_and_reports_is_a_gap(
    first: MemoryList, second: MemoryList, pause: int, flags: list[tuple[int, int, bool, str]] | None
) -> None:
    panel = StoringPanel()
    panel.visit(0, first, None if flags is None else [])
    plan = panel.visit(pause, second, flags)
    is_covered = pause <= 16 or flags is not None
    assert (plan.gap is None) == is_covered
    if plan.gap is not None:
        assert (plan.gap.begin, plan.gap.end) == (START, at(pause))


@given(lists, lists, flag_lists)
def test_a_restart_forgets_probes_and_leaves_a_gap(
    before: MemoryList, after: MemoryList, flags: list[tuple[int, int, bool, str]]
) -> None:
    panel = StoringPanel()
    panel.visit(0, before, flags, ProxyIdentity("3.4.18", at(-100), "first"))
    plan = panel.visit(50, after, [], ProxyIdentity(None, at(45), "second"))
    assert (plan.started_at, plan.reloaded) == (at(45), True)
    assert plan.gap is not None
    assert plan.gap.why == LOST
    assert (panel.contact.probes_reported_at, panel.contact.probes_all) == (None, False)
    assert (panel.contact.version, panel.contact.up_since_text) == ("3.4.18", "second")


@given(lists, lists)
def test_another_proxy_at_the_address_changes_nothing_until_it_answers_twice(
    mine: MemoryList, theirs: MemoryList
) -> None:
    panel = StoringPanel()
    panel.visit(0, mine, None, ProxyIdentity("3.4.18", at(-100), "mine"))
    rows = panel.rows
    other = ProxyIdentity("4.0.1", at(-5000), "theirs")
    assert panel.visit(2, theirs, None, other).outcome is StoreOutcome.STRANGER
    assert panel.rows == rows
    assert panel.contact.mixed_at is not None
    assert panel.visit(4, theirs, None, other).started_at == at(-5000)
    assert {row.destination for row in panel.rows.values()} == set(theirs.destinations)


def test_a_report_contradicted_by_two_lists_is_dropped() -> None:
    panel, found = StoringPanel(), memory([(1, 0, 0)])
    panel.visit(0, found, [])
    late = [(1, 0, False, PROBE_FAILED)]
    assert not panel.visit(2, found, late).history
    assert len(panel.contact.late_reports) == 1
    assert not panel.visit(4, found, late).history
    assert not panel.contact.late_reports


def test_a_failed_probe_of_an_unmarked_destination_shows_that_all_are_probed() -> None:
    found = memory([(1, 0, 2)])
    reports = reported([(1, 0, False, PROBE_FAILED)], at(2))
    answer = ProxyAnswer(SnapshotFactory.build(memory=found, requested_at=at(2), reports=reports))
    reading = read(ContactState(), answer, at(2))
    assert reading.failed_probes == {(1, "sip:a")}
    for unmarked, is_known in ((frozenset(), False), (reading.failed_probes, True)):
        plan = reconcile(reading, answer, StoredRows(unmarked=unmarked))
        assert plan.contact.probes_all is is_known
    restarted = replace(reading, continuity=Continuity.RESTARTED)
    assert not reconcile(restarted, answer, StoredRows(unmarked=reading.failed_probes)).contact.probes_all


def test_what_is_known_of_probes_stays_with_a_changed_row() -> None:
    panel = StoringPanel()
    panel.visit(0, memory([(1, 0, 0)]))
    [key] = panel.rows
    panel.rows[key] = panel.rows[key]._replace(probes=Probes(1, True, at(-1)))
    plan = panel.visit(2, memory([(1, 0, 1)]))
    assert panel.rows[key].probes == Probes(1, True, at(-1))
    assert [each.cause for each in plan.history] == [Cause.UNKNOWN]
