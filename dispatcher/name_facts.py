"""The name in a destination: what this machine's resolver answered, and what proxies have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from dispatcher.models import NameLookup, NameOutcome
from dispatcher.name_changes import addresses_text, has_moved
from efcp.clock import in_words
from efcp.proxies.models import KnownDestination
from efcp.proxies.selectors import WatchedProxy
from efcp.sip.uri import host_of, uri_key

_AT_ONCE = 500
_SHOWN_PROXIES = 3

Listed = tuple[str, list[str]]
"""A proxy's name, and the addresses that it lists for a destination."""


@dataclass(frozen=True, slots=True)
class ProxyAddresses:
    """The addresses that a proxy loaded for a name, as it lists them; whether they are not those of today."""

    proxy: str
    addresses: str
    is_moved: bool


@dataclass(frozen=True, slots=True)
class NameNote:
    """What a row of a list says of its name: since when, where that is known, and whether it is bad."""

    text: str
    since: datetime | None = None
    age: str = ""
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class NameFact:
    """The watcher's look-ups of one name, and the addresses that proxies loaded for it."""

    lookup: NameLookup
    on_proxies: tuple[ProxyAddresses, ...]
    age: str
    moved_age: str

    @property
    def resolves(self) -> bool:
        """Whether the last answer named addresses."""
        return self.lookup.outcome == NameOutcome.FOUND

    @property
    def words(self) -> str:
        """The last outcome as the end of a sentence that begins with the name."""
        match NameOutcome(self.lookup.outcome):
            case NameOutcome.FOUND:
                return "resolves"
            case NameOutcome.NO_SUCH_NAME:
                return "does not resolve"
        return "got no answer"

    @property
    def addresses(self) -> str:
        """The addresses by this machine's resolver."""
        return addresses_text(self.lookup.addresses, self.lookup.address_count)

    @property
    def former_addresses(self) -> str:
        """Those before they changed."""
        return addresses_text(self.lookup.former_addresses)

    @property
    def moved(self) -> tuple[ProxyAddresses, ...]:
        """The proxies that have other addresses than a load of today would find."""
        return tuple(each for each in self.on_proxies if each.is_moved) if self.resolves else ()

    @property
    def note(self) -> NameNote | None:
        """What a row of a list should say; None where the name resolves to what the proxies have."""
        if not self.resolves:
            is_bad = self.lookup.outcome == NameOutcome.NO_SUCH_NAME
            text = "name does not resolve" if is_bad else "no DNS answer for the name"
            return NameNote(text, self.lookup.outcome_since, self.age, is_bad)
        if self.moved:
            loaded = "; ".join(
                f"{each.proxy} loaded {each.addresses}" for each in self.moved[:_SHOWN_PROXIES]
            )
            text = f"resolves to {self.addresses} here, {loaded}"
            return NameNote(text, self.lookup.moved_at, self.moved_age)
        return None


def name_facts(destinations: Iterable[str], watched: Sequence[WatchedProxy]) -> dict[str, NameFact]:
    """By URI key, the facts of those `destinations` that have a name which the watcher looked up.

    Two queries, or none where no destination has a letter in its host.
    """
    keys = sorted({uri_key(text.rstrip(" ")) for text in destinations if _may_have_name(text)})
    if not keys:
        return {}
    lookups = NameLookup.objects.filter(uri_key__in=keys[:_AT_ONCE])
    addresses = _addresses(keys[:_AT_ONCE], watched)
    now = watched[0].now if watched else None
    return {each.uri_key: _fact(each, addresses.get(each.uri_key, ()), now) for each in lookups}


@lru_cache(maxsize=8192)
def _may_have_name(destination: str) -> bool:
    return any(character.isalpha() for character in host_of(destination))


def _addresses(
    keys: Sequence[str], watched: Sequence[WatchedProxy]
) -> dict[str, list[tuple[str, list[str]]]]:
    """By URI key, the addresses on each proxy of which something is known, by its name."""
    by_pk = {each.proxy.pk: each.proxy for each in watched}
    known = KnownDestination.objects.filter(proxy__in=by_pk, uri_key__in=keys).order_by(
        "proxy__name", "setid"
    )
    found: dict[str, list[Listed]] = {}
    for proxy_id, partition, key, addresses in known.order_by("proxy__name", "setid").values_list(
        "proxy_id", "partition", "uri_key", "addresses"
    ):
        proxy = by_pk[proxy_id]
        one = (proxy.name, addresses)
        if partition == proxy.partition and one not in found.setdefault(key, []):
            found[key].append(one)
    return found


def _fact(lookup: NameLookup, addresses: Sequence[Listed], now: datetime | None) -> NameFact:
    def age(moment: datetime | None) -> str:
        return in_words(now - moment) if now and moment else ""

    on_proxies = tuple(
        ProxyAddresses(name, addresses_text(listed), has_moved(listed, lookup.addresses))
        for name, listed in addresses
    )
    return NameFact(lookup, on_proxies, age(lookup.outcome_since), age(lookup.moved_at))
