"""Which rules of the table each proxy has not loaded yet.

MI lists no rules. What a proxy loaded is known of a reload by this panel, until the proxy reports another
load; after a load from elsewhere, only that later changes in this panel are not loaded.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection

from efcp.audit.models import AuditRecord
from efcp.proxies.load_reports import LastLoad
from efcp.proxies.loads import MAX_ROWS, last_loads, loaded_rows, why_unknown
from efcp.proxies.selectors import WatchedProxy

SHOWN = 50
"""Rules of one proxy that are listed one by one."""

MAX_EDITS = 2000
"""Audit records since a load that are looked through for what it loaded."""

CLOCK_TOLERANCE = timedelta(seconds=1)
"""A proxy dates a load by whole seconds: of an edit within one of them it is not known which came first."""


class RuleColumns(NamedTuple):
    """The columns of a rule that a proxy loads, NULL read as empty. A tuple, since there may be 100,000."""

    id: int
    dpid: int
    pr: int
    match_op: int
    match_exp: str
    match_flags: int
    subst_exp: str
    repl_exp: str
    timerec: str
    attrs: str


_TEXTS = {"match_exp", "subst_exp", "repl_exp", "timerec", "attrs"}
_LABELS = {
    "dpid": "dialplan",
    "pr": "priority",
    "match_op": "operator",
    "match_exp": "match",
    "match_flags": "case",
    "subst_exp": "substitution",
    "repl_exp": "replacement",
    "timerec": "time recurrence",
    "attrs": "attributes",
}


class Kind(StrEnum):
    """How a rule in a proxy's memory differs from the table."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule that a reload would change; `columns` are those that differ, named for people."""

    kind: Kind
    rule: RuleColumns
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """The rules that a proxy loaded, by id; None is one that it did not load.

    Where they are not `whole`, a missing rule is unknown, and `why` is the reason.
    """

    rules: Mapping[int, RuleColumns | None]
    whole: bool
    why: str = ""

    def knows(self, rule_id: int) -> bool:
        """Whether it is known what the proxy loaded of this rule."""
        return self.whole or rule_id in self.rules


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """One proxy: its last load, and what it has not loaded of the table (the first SHOWN, counted by kind).

    `why` is why this is unknown, or unknown for some rules; the counts then cover what is known. `differs` is
    where the proxy's own counts show that it holds other rules.
    """

    watched: WatchedProxy
    load: LastLoad | None
    why: str = ""
    counts: Mapping[Kind, int] = field(default_factory=dict)
    shown: tuple[RuleChange, ...] = ()
    differs: str = ""

    @property
    def count(self) -> int:
        """How many rules are known not to be loaded as they stand in the table."""
        return sum(self.counts.values())

    @property
    def words(self) -> str:
        """The counts by kind."""
        return ", ".join(f"{self.counts[kind]} {kind.value}" for kind in Kind if self.counts.get(kind))

    @property
    def unshown(self) -> int:
        """How many are only counted."""
        return self.count - len(self.shown)


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """What proxies have not loaded of one rule: in words, and the proxies' names where not all are alike."""

    words: str
    proxies: tuple[str, ...] = ()


def read_rules() -> dict[int, RuleColumns] | None:
    """The rules that a load reads, by id; None where there are more than MAX_ROWS."""
    found = _read("WHERE disabled = 0 ORDER BY id LIMIT %s", [MAX_ROWS + 1])
    return {rule.id: rule for rule in found} if len(found) <= MAX_ROWS else None


def pending_rules(watched: Sequence[WatchedProxy]) -> tuple[ProxyRules, ...]:
    """What each proxy has not loaded yet."""
    loads = last_loads([each.proxy for each in watched], "dialplan")
    loaded = _loaded(watched, loads)
    table = read_rules()
    if table is None:
        why = f"More than {MAX_ROWS:,} rules: too many to compare."
        return tuple(ProxyRules(each, loads.get(each.proxy.pk), why) for each in watched)
    changes: dict[int, list[RuleChange]] = {}
    found = []
    for each in watched:
        of_proxy = loaded[each.proxy.pk]
        if id(of_proxy.rules) not in changes:
            changes[id(of_proxy.rules)] = list(_changes(table, of_proxy))
        found.append(
            _proxy_rules(each, loads.get(each.proxy.pk), of_proxy, changes[id(of_proxy.rules)], len(table))
        )
    return tuple(found)


def not_loaded(
    rule_ids: Collection[int], watched: Sequence[WatchedProxy]
) -> dict[int, tuple[NotLoaded, ...]]:
    """By the ids of rules of the table, what answering proxies have not loaded of them."""
    fresh = [each for each in watched if each.fresh]
    if not (fresh and rule_ids):
        return {}
    loaded = _loaded(fresh, last_loads([each.proxy for each in fresh], "dialplan"))
    marks = ", ".join(["%s"] * len(rule_ids))
    table = {rule.id: rule for rule in _read(f"WHERE disabled = 0 AND id IN ({marks})", list(rule_ids))}
    found = {}
    for rule_id in rule_ids:
        names: dict[str, list[str]] = {}
        for each in fresh:
            change = _change(table.get(rule_id), rule_id, loaded[each.proxy.pk])
            if change is not None:
                names.setdefault(_words(change), []).append(each.proxy.name)
        found[rule_id] = tuple(
            NotLoaded(words, () if len(on) == len(fresh) else tuple(on)) for words, on in names.items()
        )
    return found


def _words(change: RuleChange) -> str:
    match change.kind:
        case Kind.ADDED:
            return "not loaded"
        case Kind.REMOVED:
            return "still loaded"
    return f"{', '.join(change.columns)} changed, not loaded"


def _proxy_rules(
    each: WatchedProxy, load: LastLoad | None, of_proxy: LoadedRules, changes: Sequence[RuleChange], rows: int
) -> ProxyRules:
    counts = Counter(change.kind for change in changes)
    return ProxyRules(
        each, load, of_proxy.why, counts, tuple(changes[:SHOWN]), _other_count(load, of_proxy, rows)
    )


def _other_count(load: LastLoad | None, of_proxy: LoadedRules, rows: int) -> str:
    """That the proxy counted another number of rules, where it is not known which rules it loaded."""
    if of_proxy.whole or load is None or load.loaded is None or load.discarded is None:
        return ""
    read = load.loaded + load.discarded
    return "" if read == rows else f"It read {read:,} rules, the table has {rows:,}."


def _loaded(watched: Sequence[WatchedProxy], loads: Mapping[int, LastLoad]) -> dict[int, LoadedRules]:
    """What each proxy loaded, by proxy id."""
    found = {each.proxy.pk: _of_load(loads.get(each.proxy.pk), each.now) for each in watched}
    started_at = {
        pk: load.started_at
        for pk, load in loads.items()
        if pk in found and not found[pk].whole and load.started_at is not None
    }
    edits = _edits_since(started_at.values())
    for pk, moment in started_at.items():
        found[pk] = LoadedRules(_before(edits, moment), False, found[pk].why)
    return found


def _of_load(load: LastLoad | None, now: datetime) -> LoadedRules:
    if load is None:
        return LoadedRules({}, False, "Its load time has not been read yet.")
    rules = _by_id(load.digest) if load.digest is not None else None
    if rules is None:
        return LoadedRules({}, False, why_unknown(load, now))
    return LoadedRules(rules, True)


@lru_cache(maxsize=4)
def _by_id(digest: str) -> dict[int, RuleColumns] | None:
    """Decoded once: what a digest stands for never changes."""
    rows = loaded_rows(digest)
    return None if rows is None else {row[0]: RuleColumns(*row) for row in rows}


def _changes(table: Mapping[int, RuleColumns], loaded: LoadedRules) -> Iterable[RuleChange]:
    known = table.keys() | loaded.rules.keys() if loaded.whole else loaded.rules.keys()
    then = loaded.rules
    differing = sorted(rule_id for rule_id in known if table.get(rule_id) != then.get(rule_id))
    for rule_id in differing:
        change = _change(table.get(rule_id), rule_id, loaded)
        if change is not None:
            yield change


def _change(now: RuleColumns | None, rule_id: int, loaded: LoadedRules) -> RuleChange | None:
    if not loaded.knows(rule_id):
        return None
    then = loaded.rules.get(rule_id)
    if now == then:
        return None
    if then is None:
        return None if now is None else RuleChange(Kind.ADDED, now)
    if now is None:
        return RuleChange(Kind.REMOVED, then)
    columns = (name for name, one, other in zip(RuleColumns._fields, now, then, strict=True) if one != other)
    return RuleChange(Kind.CHANGED, now, tuple(_LABELS[name] for name in columns))


def _read(where: str, parameters: Sequence[Any]) -> list[RuleColumns]:
    """Rows of the table, read as plain tuples: the ORM takes twice as long for 10,000."""
    columns = ", ".join(f"COALESCE({name}, '')" if name in _TEXTS else name for name in RuleColumns._fields)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM dialplan {where}", parameters)  # noqa: S608 - our own names
        return [RuleColumns._make(row) for row in cursor.fetchall()]


_Edit = tuple[int, datetime, Mapping[str, Any] | None]
"""A rule's id, when it was written, and its columns before; None where it was added."""


def _edits_since(started_at: Collection[datetime]) -> list[_Edit]:
    """What was written in this panel after the earliest of these moments, the oldest first."""
    if not started_at:
        return []
    records = AuditRecord.objects.filter(
        subject_kind="dialplan", at__gte=min(started_at) + CLOCK_TOLERANCE
    ).order_by("-id")
    edits = records.values_list("subject_id", "at", "before")[:MAX_EDITS]
    return [(int(rule_id), at, before) for rule_id, at, before in reversed(edits)]


def _before(edits: Iterable[_Edit], started_at: datetime) -> dict[int, RuleColumns | None]:
    """By rule id, the rule before the first edit after a load; None where the load did not read it."""
    found: dict[int, RuleColumns | None] = {}
    for rule_id, at, before in edits:
        if at >= started_at + CLOCK_TOLERANCE and rule_id not in found:
            is_loaded = before is not None and not before.get("disabled")
            found[rule_id] = _columns(rule_id, before or {}) if is_loaded else None
    return found


def _columns(rule_id: int, values: Mapping[str, Any]) -> RuleColumns:
    texts = {name: values.get(name) or "" for name in _TEXTS}
    numbers = {name: values.get(name) or 0 for name in RuleColumns._fields if name not in _TEXTS}
    return RuleColumns(**(numbers | texts | {"id": rule_id}))
