"""The names in the table, as a load would find them now by this machine's resolver."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from dispatcher.environment import not_looked_up
from dispatcher.models import NameLookup, NameOutcome
from dispatcher.name_watch import named
from dispatcher.names import Lookup, Outcome, look_up_all
from dispatcher.routing.addresses import Name

LIMIT_S = 0.8
"""What all look-ups of one page may take together."""

MOST_LOOKED_UP = 500
"""Names that one page looks up itself. Of more, the watcher's last look-ups count, where they are not old."""

_GRACE = timedelta(seconds=30)
"""How long after it was due again the watcher's last look-up still counts."""

_AT_ONCE = 500
_OUTCOMES = {
    NameOutcome.FOUND: Outcome.FOUND,
    NameOutcome.NO_SUCH_NAME: Outcome.NO_SUCH_NAME,
    NameOutcome.NO_ANSWER: Outcome.NO_ANSWER,
}


@dataclass(frozen=True, slots=True)
class NameState:
    """What is known of the name in one destination; since when, as far as the watcher saw it."""

    host: str
    outcome: Outcome
    addresses: tuple[str, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class TableNames:
    """By URI key, the names of the destinations that have one."""

    by_key: Mapping[str, NameState] = field(default_factory=dict)
    _by_name: Mapping[Name, NameState] = field(default_factory=dict)

    def resolve(self, host: str, port: int | None, transport: str) -> tuple[str, ...] | None:
        """What a loader gets: the addresses, none where there is no such name, None where unknown."""
        state = self._by_name.get((host.lower(), port, transport))
        if state is None or state.outcome in {Outcome.NO_ANSWER, Outcome.NOT_LOOKED_UP}:
            return None
        return state.addresses

    def resolve_or_assume(self, host: str, port: int | None, transport: str) -> tuple[str, ...]:
        """As `resolve`, but a name that nobody could look up is taken to resolve."""
        found = self.resolve(host, port, transport)
        return not_looked_up(host, port, transport) if found is None else found

    def with_outcome(self, *outcomes: Outcome) -> frozenset[str]:
        """The URI keys whose names came to one of `outcomes`."""
        return frozenset(key for key, state in self.by_key.items() if state.outcome in outcomes)

    @property
    def unresolved(self) -> frozenset[str]:
        """The URI keys whose names do not resolve."""
        return self.with_outcome(Outcome.NO_SUCH_NAME)

    @property
    def unknown(self) -> frozenset[str]:
        """The URI keys of whose names nothing could be learnt in time."""
        return self.with_outcome(Outcome.NO_ANSWER, Outcome.NOT_LOOKED_UP)


def stored_names(destinations: Iterable[str]) -> TableNames:
    """The names as the watcher looked them up last; one that it did not look up of late was not asked."""
    names = dict(named(destinations))
    return _table_names(names, _stored(names), {})


def look_up_names(destinations: Iterable[str], limit_s: float = LIMIT_S) -> TableNames:
    """The names as they are looked up now, within `limit_s` seconds; else as the watcher did of late."""
    names = dict(named(destinations))
    if not names:
        return TableNames()
    due = list(dict.fromkeys(names.values()))[:MOST_LOOKED_UP]
    return _table_names(names, _stored(names), look_up_all(due, limit_s))


def _stored(names: Mapping[str, Name]) -> dict[str, NameLookup]:
    recent = NameLookup.objects.filter(due_at__gt=timezone.now() - _GRACE)
    if len(names) <= _AT_ONCE:
        recent = recent.filter(uri_key__in=list(names))
    return {each.uri_key: each for each in recent} if names else {}


def _table_names(
    names: Mapping[str, Name], stored: Mapping[str, NameLookup], lookups: Mapping[Name, Lookup]
) -> TableNames:
    by_key = {key: _state(name, stored.get(key), lookups.get(name)) for key, name in names.items()}
    return TableNames(by_key, {names[key]: state for key, state in by_key.items()})


def _state(name: Name, stored: NameLookup | None, lookup: Lookup | None) -> NameState:
    outcome = _OUTCOMES[NameOutcome(stored.outcome)] if stored else Outcome.NOT_LOOKED_UP
    if lookup is None or lookup.outcome is Outcome.NOT_LOOKED_UP:
        addresses = tuple(stored.addresses) if stored else ()
    else:
        outcome, addresses = lookup.outcome, lookup.addresses
    is_same = stored is not None and _OUTCOMES[NameOutcome(stored.outcome)] is outcome
    return NameState(name[0], outcome, addresses, stored.outcome_since if stored and is_same else None)
