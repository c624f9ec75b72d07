"""Names in the rows, looked up many at once before they are loaded, so that a load itself never waits."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

from dispatcher.routing.rows import DestinationRow
from efcp.sip.uri import UriError, parse

Name = tuple[str, int | None, str]
"""Host, port or None, transport."""
LookUp = Callable[[str, int | None, str], tuple[str, ...]]

AT_ONCE = 8
LIMIT_S = 10.0


class Names:
    """The addresses of the names in the rows that were loaded last."""

    def __init__(self, look_up: LookUp, limit_s: float = LIMIT_S) -> None:
        self._look_up = look_up
        self._limit_s = limit_s
        self._found: dict[Name, tuple[str, ...]] = {}

    def look_up(self, rows: Iterable[DestinationRow]) -> None:
        """Look up all names in `rows`; those without an answer in time have no address."""
        threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="sandbox-names")
        asked = {name: threads.submit(self._look_up, *name) for name in dict.fromkeys(_names(rows))}
        wait(asked.values(), timeout=self._limit_s)
        threads.shutdown(wait=False, cancel_futures=True)
        self._found = {
            name: answer.result()
            for name, answer in asked.items()
            if answer.done() and not answer.cancelled() and answer.exception() is None
        }

    def resolve(self, host: str, port: int | None, transport: str) -> tuple[str, ...]:
        """The addresses that were found for a name; empty for none."""
        return self._found.get((host, port, transport), ())


def _names(rows: Iterable[DestinationRow]) -> Iterator[Name]:
    for row in rows:
        try:
            uri = parse((row.destination or "").rstrip(" "))
        except UriError:
            continue
        if any(character.isalpha() for character in uri.host) and ":" not in uri.host:
            yield uri.host, uri.port, uri.effective_transport
