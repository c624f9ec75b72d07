"""Which route leads to which, and what can be reached from where, in time that grows with the calls alone."""

from collections import deque
from collections.abc import Iterable, Mapping, Set

from efcp.script.language.syntax import Route, RouteKind

RouteKey = tuple[RouteKind, str]
"""A route by its kind and name."""


def key_of(route: Route) -> RouteKey:
    """How a route is called."""
    return (route.kind, route.name)


class Graph:
    """Edges between routes."""

    def __init__(self, edges: Mapping[RouteKey, Set[RouteKey]]) -> None:
        self._edges = edges

    def reached(self, starts: Iterable[RouteKey]) -> frozenset[RouteKey]:
        """The starts, and all that they lead to."""
        found = set(starts)
        waiting = deque(found)
        while waiting:
            for following in self._edges.get(waiting.popleft(), ()):
                if following not in found:
                    found.add(following)
                    waiting.append(following)
        return frozenset(found)

    def reversed(self) -> "Graph":
        """The same edges the other way: reached() then gives all that lead to the starts."""
        edges: dict[RouteKey, set[RouteKey]] = {}
        for start, ends in self._edges.items():
            for end in ends:
                edges.setdefault(end, set()).add(start)
        return Graph(edges)

    def joined(self, more: Mapping[RouteKey, Set[RouteKey]]) -> "Graph":
        """This graph with more edges."""
        edges = {start: set(ends) for start, ends in self._edges.items()}
        for start, ends in more.items():
            edges.setdefault(start, set()).update(ends)
        return Graph(edges)
