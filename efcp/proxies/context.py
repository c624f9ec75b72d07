"""What every page's top bar shows of the proxies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from efcp.proxies.selectors import WatchedProxy, watched_proxies


@dataclass(frozen=True, slots=True)
class Dot:
    """One proxy in the top bar; `since` is None where no moment is known."""

    proxy_id: int
    name: str
    is_sandbox: bool
    good: bool
    words: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class ProxyDots:
    """All enabled proxies, those that do not answer first."""

    dots: tuple[Dot, ...]

    @property
    def answering(self) -> int:
        """How many answer."""
        return sum(dot.good for dot in self.dots)


def watched_on(
    request: HttpRequest, read: Callable[[], tuple[WatchedProxy, ...]] = watched_proxies
) -> tuple[WatchedProxy, ...]:
    """The enabled proxies, read once for the whole request, by its page and its top bar alike.

    A page that needs more of them than others do hands in how it reads them.
    """
    watched: tuple[WatchedProxy, ...] | None = getattr(request, "watched_proxies", None)
    if watched is None:
        watched = read()
        request.watched_proxies = watched  # type: ignore[attr-defined]
    return watched


def proxy_dots(request: HttpRequest) -> dict[str, object]:
    """The variable `proxy_dots`: every enabled proxy, read in one query when a template first looks at it."""

    def dots() -> ProxyDots:
        return ProxyDots(tuple(sorted(map(_dot, watched_on(request)), key=lambda dot: dot.good)))

    return {"proxy_dots": SimpleLazyObject(dots)}


def _dot(each: WatchedProxy) -> Dot:
    since = None if each.fresh else each.silent_since or each.answered_at
    words = each.words if each.known else f"never responded, {each.words}"
    return Dot(each.proxy.pk, each.proxy.name, each.proxy.is_sandbox, each.fresh, words, since)
