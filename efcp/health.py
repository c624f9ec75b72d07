"""The checks that load balancers, containers and monitoring call: whether the panel lives, and is ready."""

from functools import cache

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from efcp.proxies.selectors import watcher_beat_at


@require_safe
@login_not_required
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 `ok` while the database answers, else 503; neither signing in nor a redirect is involved."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("the database does not answer\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@login_not_required
@never_cache
def readyz(_request: HttpRequest) -> HttpResponse:
    """200 where this panel can do its work, else 503, with a line for each thing that it needs.

    The database must answer, accept writes and have the tables of this version. How long the watcher has been
    silent is reported, too, and decides nothing: without the watcher pages show last known states, which
    is better than no page.
    """
    try:
        checks = [_writable(), _migrated()]
        watcher = _watcher()
    except DatabaseError:
        checks, watcher = [(False, "database: does not answer")], ""
    lines = [text for _is_good, text in checks] + [watcher] * bool(watcher)
    is_ready = all(is_good for is_good, _text in checks)
    return HttpResponse(
        "\n".join(lines) + "\n", status=200 if is_ready else 503, content_type="text/plain; charset=utf-8"
    )


def _writable() -> tuple[bool, str]:
    if connection.vendor != "mysql":
        return True, "database: answers"
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@global.read_only")
        (read_only,) = cursor.fetchone()
    return not read_only, f"database: {'is read-only' if read_only else 'accepts writes'}"


def _migrated() -> tuple[bool, str]:
    missing = sorted(_own_migrations() - set(MigrationRecorder(connection).applied_migrations()))
    if not missing:
        return True, "tables: of this version"
    app, name = missing[0]
    return False, f"tables: {len(missing):,} migrations are missing, the first is {app}.{name}"


@cache
def _own_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations or ())


def _watcher() -> str:
    beat_at = watcher_beat_at()
    if beat_at is None:
        return "watcher: never ran"
    return f"watcher: {max(0.0, (timezone.now() - beat_at).total_seconds()):.0f} s old"
