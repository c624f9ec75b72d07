"""Pages that are kept as long as nothing that they show has changed.

A page may be kept where its view knows a version of everything that it reads. Rights are checked before, in
each request, and what differs from answer to answer is a blank in it: the CSRF token and the nonce.
A page that shows ages is kept until the first of them changes.
"""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar

from django.contrib.messages import get_messages
from django.db import connection
from django.db.models.expressions import BaseExpression
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token

from efcp import clock
from efcp.accounts.models import User
from efcp.compression import accepts_gzip, deflated, gzip_of
from efcp.database.versions import KEPT_FOR_S, version_of
from efcp.proxies.selectors import WatchedProxy, watched_proxies

KEPT_PAGES = 512
"""Pages of about 40 kB that a process keeps."""

MOST_COMPRESSED_PARTS = 17

CSRF_BLANK = f"csrf-token-of-this-answer-{secrets.token_hex(16)}"
NONCE_BLANK = f"nonce-of-this-answer-{secrets.token_hex(16)}"
"""Nobody can know them, or a text of the table could be taken for one and show the token."""

EACH_VISIT = {
    "attempted_at",
    "answered_at",
    "requested_at",
    "reports_requested_at",
    "round_trip_ms",
    "hits_stored_at",
}
"""What a visit of the watcher changes of a contact although the proxy holds what it held."""

_USER_COLUMNS = tuple(
    each.attname for each in User._meta.concrete_fields if each.attname not in {"password", "last_login"}
)

Value = TypeVar("Value")


class KeptValues(Generic[Value]):
    """The values that were used last, by key, each for a time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        """The value of this key, if it is kept and its time has not passed."""
        with self._lock:
            until, value = self._values.get(key, (0.0, None))
            if value is None or time.monotonic() >= until:
                self._values.pop(key, None)
                return None
            self._values.move_to_end(key)
            return value

    def keep(self, key: Hashable, value: Value, seconds: float) -> None:
        """Keep a value for so long."""
        with self._lock:
            self._values[key] = (time.monotonic() + seconds, value)
            while len(self._values) > self._size:
                self._values.popitem(last=False)


@dataclass(frozen=True)
class _Page:
    """A page in parts: what stays, and at every second place the name of a blank."""

    parts: tuple[bytes, ...]

    @classmethod
    def of(cls, text: str) -> "_Page":
        """The page whose blanks are in this text."""
        parts: list[str] = []
        for piece in text.split(CSRF_BLANK):
            parts += [CSRF_BLANK] if parts else []
            inner = piece.split(NONCE_BLANK)
            for number, plain in enumerate(inner):
                parts += [NONCE_BLANK] if number else []
                parts.append(plain)
        return cls(tuple(part.encode() for part in parts))

    @cached_property
    def deflated(self) -> tuple[bytes, ...]:
        """What stays, compressed once."""
        return tuple(deflated(part) for part in self.parts[::2])

    def filled(self, values: dict[bytes, bytes]) -> list[bytes]:
        """The parts with the blanks filled in."""
        return [values[part] if number % 2 else part for number, part in enumerate(self.parts)]


_pages: KeptValues[_Page] = KeptValues(KEPT_PAGES)


class PageVersion:
    """The version of what some pages read: the proxies, whole tables, and small parts of others.

    `name` is its own, `table` the one that is listed. `beside` gives the small parts as SQL.
    """

    def __init__(self, name: str, table: str, *others: str, beside: Callable[[], tuple[str, ...]]) -> None:
        self._names = (f"version_of_{name}", f"version_beside_{name}")
        self._table = table
        self._others = others
        self._beside = beside

    def watched(self) -> tuple[WatchedProxy, ...]:
        """The enabled proxies, with what `of` needs; one query."""
        return watched_proxies(marks=self._marks)

    def table(self, watched: Sequence[WatchedProxy]) -> str | None:
        """A text that differs whenever the first of the tables does; None as from `of`."""
        if not watched or connection.in_atomic_block:
            return None
        version: str | None = getattr(watched[0].proxy, self._names[0], None)
        return version

    def of(self, watched: Sequence[WatchedProxy]) -> str | None:
        """A text that differs whenever what is read does; `watched` were read by `watched`, first of all.

        None where that is not known: without a proxy, after a change just now, and in a transaction, which
        sees its own changes.
        """
        table = self.table(watched)
        beside = getattr(watched[0].proxy, self._names[1], None) if table is not None else None
        return None if beside is None else repr((table, beside, [_version_of_one(each) for each in watched]))

    @cached_property
    def _marks(self) -> dict[str, BaseExpression]:
        expressions = version_of(self._table), version_of(*self._others, beside=self._beside())
        return dict(zip(self._names, expressions, strict=True))


def _version_of_one(each: WatchedProxy) -> tuple[object, ...]:
    contact = each.contact.__dict__
    ignored = EACH_VISIT if each.fresh else set()
    return (
        each.freshness.value,
        each.load and replace(each.load, cursor="", reports_requested_at=None),
        *(value for name, value in each.proxy.__dict__.items() if name[0] != "_" and name != "beat_at"),
        *(value for name, value in contact.items() if name[0] != "_" and name not in ignored),
    )


@dataclass(frozen=True, slots=True)
class Blanks:
    """What a page is rendered with in place of what differs from answer to answer.

    `tag` is the ETag of the part that refreshes itself, empty where it has none.
    """

    csrf_token: str
    nonce: str
    tag: str

    @property
    def context(self) -> dict[str, str]:
        """As templates know them."""
        return {"csrf_token": self.csrf_token, "CSP_NONCE": self.nonce, "tag": self.tag}


def kept_page(
    request: HttpRequest,
    shown: str,
    version: str | None,
    render: Callable[[Blanks], str],
    part: str | None = None,
) -> HttpResponse:
    """The page that `render` gives, or the kept one.

    `shown` is what the address asks for, `version` that of everything that the page reads besides the user;
    None where that is not known. `part` is the id of the part that refreshes itself, if one does: where the
    browser has it already, the answer is 304.
    """
    is_part = part is not None and request.headers.get("HX-Target") == part
    key = (request.path, shown, version, _who(request)) if version is not None else None
    tag = f'"{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}"' if key else ""
    if is_part and tag and request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers={"ETag": tag})
    # A message is shown once.
    keeps = key is not None and (is_part or not len(get_messages(request)))
    page = _pages.get((is_part, key)) if keeps else None
    if page is None:
        with clock.noting_changes() as changes:
            page = _Page.of(render(Blanks(CSRF_BLANK, NONCE_BLANK, tag)))
        if keeps and not request.rule_effort.is_spent:  # type: ignore[attr-defined]
            _pages.keep((is_part, key), page, min(KEPT_FOR_S, changes.within_s))
    return _answer(request, page, tag if is_part else "")


def _answer(request: HttpRequest, page: _Page, tag: str) -> HttpResponse:
    response = HttpResponse(headers={"Vary": "Accept-Encoding"})
    if tag:
        response.headers["ETag"] = tag
    nonce = str(getattr(request, "csp_nonce", ""))
    filled = page.filled(
        {CSRF_BLANK.encode(): get_token(request).encode(), NONCE_BLANK.encode(): nonce.encode()}
    )
    # Blanks part what is compressed: with many of them the middleware compresses better.
    if accepts_gzip(request) and len(filled) <= MOST_COMPRESSED_PARTS:
        response.headers["Content-Encoding"] = "gzip"
        response.content = gzip_of(filled, page.deflated)
    else:
        response.content = b"".join(filled)
    return response


def _who(request: HttpRequest) -> tuple[Hashable, ...]:
    """All columns of the user but those that no page shows: the id and the role are among them."""
    return tuple(getattr(request.user, name) for name in _USER_COLUMNS)
