"""Which calls of its set a destination takes: by each proxy's memory, and by the table after a reload."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from dispatcher.routing.live import LiveSet
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.weights import shares
from efcp.preview.sources import NoPreviewError, Source, set_preview, sources
from efcp.proxies.selectors import WatchedProxy
from efcp.sip.uri import uri_key

MAX_SOURCES = 20
"""Each is a set to be loaded, within one request."""


@dataclass(frozen=True, slots=True)
class Takes:
    """What a destination takes by one source; percentages of all calls under the weighted algorithms.

    `now` counts the states as they are, `healthy` every destination as active. `is_first`: algorithm 8 sends
    every call there. `problem` says why nothing can be told.
    """

    source: str
    now: float = 0.0
    healthy: float = 0.0
    is_first: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TakenCalls:
    """What is told of each source, and how many further ones there are."""

    takes: tuple[Takes, ...]
    further: int


def taken_calls(setid: int, uri: str, watched: Sequence[WatchedProxy]) -> TakenCalls:
    """What the destination `uri` of a set takes."""
    found = sources(watched)
    told = tuple(_takes(each, setid, uri_key(uri)) for each in islice(found, MAX_SOURCES))
    return TakenCalls(told, max(0, len(found) - MAX_SOURCES))


def _takes(source: Source, setid: int, key: str) -> Takes:
    try:
        live = set_preview(source, setid).memory.sets.get(setid)
    except NoPreviewError as error:
        return Takes(source.name, problem=str(error))
    except LoadBrokenError as error:
        return Takes(source.name, problem=f"A reload would fail as a whole: {error}")
    keys = [uri_key(each.loaded.uri) for each in live.destinations] if live else []
    if live is None or key not in keys:
        return Takes(source.name, problem="It does not hold this destination.")
    actives = [each.active for each in live.destinations]
    return Takes(
        source=source.name,
        now=_percentage(live, keys, key, actives),
        healthy=_percentage(live, keys, key, [True] * len(keys)),
        is_first=next((each for each, active in zip(keys, actives, strict=True) if active), "") == key,
    )


def _percentage(live: LiveSet, keys: Sequence[str], key: str, actives: Sequence[bool]) -> float:
    """The share of all destinations of that URI together."""
    effective = shares([each.loaded.weight for each in live.destinations], list(actives)).effective
    return float(100 * sum(share for each, share in zip(keys, effective, strict=True) if each == key))
