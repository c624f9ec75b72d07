"""Groups of destinations: each set belongs to one."""

from collections.abc import Iterator

from efcp.script.checking.overview import Overview, Site
from efcp.script.checking.selection import SELECTING, partition_of
from efcp.script.findings import Finding, Severity
from efcp.script.language.syntax import RouteKind


def shared_sets(overview: Overview) -> Iterator[Finding]:
    """Two routes select from one set: what is meant for one group reaches the other's destinations.

    The guide asks for it in step 3: the set ID must be unique for the destinations of different groups.
    """
    firsts: dict[tuple[str, int], Site] = {}
    told: set[tuple[str, int, str]] = set()
    for site in overview.named(*SELECTING):
        number, partition = site.number(0), partition_of(overview, site)
        if number is None or partition is None or site.route.kind is not RouteKind.REQUEST:
            continue
        first = firsts.setdefault((partition, number), site)
        again = (partition, number, site.route.name)
        if first.route.name == site.route.name or again in told:
            continue
        told.add(again)
        other = f"route[{first.route.name}]" if first.route.name else "the main route"
        text = f"Set {number} is selected by {other} too. If these are two groups, their calls get mixed:"
        said = f"{text} give each a set of its own."
        yield Finding(Severity.WARNING, "set-shared", site.place, said, (first.place,))


CHECKS = (shared_sets,)
