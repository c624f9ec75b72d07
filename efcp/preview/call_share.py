"""The share of its set's calls that a destination gets: by each proxy's memory, and by the table."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dispatcher.routing.destinations import LiveSet
from dispatcher.routing.loading import LoadBrokenError
from dispatcher.routing.weights import shares
from dispatcher.selectors import find
from efcp.charts.axes import value_axis
from efcp.preview.sources import NoPreviewError, Source, set_preview, sources
from efcp.proxies.context import watched_on
from efcp.sip.uri import uri_key

MAX_SOURCES = 20
"""Each loads the set, within one request."""


@dataclass(frozen=True, slots=True)
class CallShare:
    """A destination's percentage of calls by one source, under the weighted algorithms.

    `now` is by the states as they are, `healthy` with every destination active. `is_first`: algorithm 8 sends
    every call there. With a `problem` nothing is known.
    """

    source: str
    now: float = 0.0
    healthy: float = 0.0
    is_first: bool = False
    problem: str = ""


@require_safe
@permission_required("efcp.view", raise_exception=True)
def call_share(request: HttpRequest, destination_id: int) -> HttpResponse:
    """The fragment of a destination's page: its share by each source."""
    row = find(destination_id)
    if row is None:
        raise Http404
    found = sources(watched_on(request))
    context = {
        "row": row,
        "shares": [share_by(each, row.setid, uri_key(row.destination)) for each in found[:MAX_SOURCES]],
        "axis": value_axis(100, "%"),
        "not_shown": len(found[MAX_SOURCES:]),
    }
    return render(request, "preview/call_share.html", context)


def share_by(source: Source, setid: int, key: str) -> CallShare:
    """The share of the destination with the URI key `key`."""
    try:
        live = set_preview(source, setid).memory.sets.get(setid)
    except NoPreviewError as error:
        return CallShare(source.name, problem=str(error))
    except LoadBrokenError as error:
        return CallShare(source.name, problem=f"A reload would fail: {error}")
    keys = [uri_key(each.loaded.uri) for each in live.destinations] if live else []
    if live is None or key not in keys:
        return CallShare(source.name, problem="It doesn't have this destination.")
    active = [each.active for each in live.destinations]
    return CallShare(
        source=source.name,
        now=_percentage(live, keys, key, active),
        healthy=_percentage(live, keys, key, [True] * len(keys)),
        is_first=next((each for each, is_active in zip(keys, active, strict=True) if is_active), "") == key,
    )


def _percentage(live: LiveSet, keys: Sequence[str], key: str, active: Sequence[bool]) -> float:
    """The share of all destinations of that URI together."""
    effective = shares([each.loaded.weight for each in live.destinations], active).effective
    return float(100 * sum(share for each, share in zip(keys, effective, strict=True) if each == key))
