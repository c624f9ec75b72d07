"""Watchers as processes of their own on one SQLite file, and what they watch played on loopback."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from efcp.configuration import PROJECT_DIR
from tests.environment import migrated_database, without_settings
from tests.proxies.mi_server import JSON, FakeMi

ENDS_WITHIN_S = 120.0


def prepare(folder: Path, mi_urls: Sequence[str]) -> Path:
    """Make a panel's database in `folder` that knows proxies at these addresses; return its file."""
    _database_file(folder).write_bytes(migrated_database())
    rows = [{"name": f"edge-{number:02}", "mi_url": url} for number, url in enumerate(mi_urls)]
    _manage(
        folder,
        "shell",
        "--verbosity=0",
        "--command",
        f"from efcp.proxies.models import Proxy\nfor row in {rows!r}: Proxy.objects.create(**row)",
    )
    return _database_file(folder)


@contextlib.contextmanager
def watchers(folder: Path, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many watchers on the database in `folder`; ended in any case."""
    command = [sys.executable, "manage.py", "watch"]
    running = [
        subprocess.Popen(command, cwd=PROJECT_DIR, env=_environment(folder), stderr=subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        yield running
    finally:
        for watcher in running:
            watcher.terminate()
        for watcher in running:
            watcher.wait(ENDS_WITHIN_S)


def fail_or_recover(mi: FakeMi, destination: JSON) -> None:
    """Have a destination fail a probe, or answer one again; the proxy reports it."""
    fails = destination["state"] == "Active"
    destination["state"] = "Probing" if fails else "Active"
    status, reason = ("inactive", "negative") if fails else ("active", "200 OK")
    mi.switch(datetime.now(UTC), destination["URI"], status, f"{reason} probing reply")


def _database_file(folder: Path) -> Path:
    return folder / "panel.sqlite3"


def _environment(folder: Path) -> dict[str, str]:
    return without_settings() | {
        "EFCP_DATA_DIR": str(folder),
        "EFCP_SECRET_KEY": "k" * 40,
        "DATABASE_URL": f"sqlite:///{_database_file(folder)}",
    }


def _manage(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=PROJECT_DIR, env=_environment(folder), check=True, capture_output=True)
