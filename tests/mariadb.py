"""A MariaDB server of the tests' own: a private folder and socket, a free port on loopback, ended by pid."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

USER = "efcp"
PASSWORD = "efcp-tests"
START_WITHIN_S = 240.0
END_WITHIN_S = 120.0
_NO_FLUSHES = [
    # What tests store need not outlive the server.
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
    "--innodb-flush-method=nosync",
]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, and where it writes its log."""

    port: int
    folder: Path

    def url(self, name: str) -> str:
        """The setting DATABASE_URL for the database `name`, with a user who may do everything."""
        return f"mysql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{name}"


@contextlib.contextmanager
def running(charset: str = "utf8mb4", *, flushes: bool = False) -> Iterator[Server]:
    """Start a server whose schemas have `charset` unless another is given; end it in any case.

    With `flushes` each commit is flushed to the disk, as on a site.
    """
    folder = Path(tempfile.mkdtemp(prefix="efcp-mariadb-"))
    try:
        _install(folder)
        server = Server(free_port(), folder)
        process = _start(server, charset, flushes=flushes)
        try:
            _wait_for(server, process)
            yield server
        finally:
            _end(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise SystemExit(f"{name} is missing: `tests/install` installs it.")
    return found


def _install(folder: Path) -> None:
    (folder / "tmp").mkdir()
    subprocess.run(
        [
            _program("mariadb-install-db"),
            "--no-defaults",
            *_as_root(),
            f"--datadir={folder / 'data'}",
            f"--tmpdir={folder / 'tmp'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
    )
    (folder / "init.sql").write_text(
        f"CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL ON *.* TO '{USER}'@'127.0.0.1' WITH GRANT OPTION;\n"
    )


def _start(server: Server, charset: str, *, flushes: bool) -> subprocess.Popen[bytes]:
    folder = server.folder
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [
                _program("mariadbd"),
                "--no-defaults",
                *_as_root(),
                f"--datadir={folder / 'data'}",
                f"--tmpdir={folder / 'tmp'}",
                f"--socket={folder / 'socket'}",
                f"--pid-file={folder / 'pid'}",
                f"--init-file={folder / 'init.sql'}",
                f"--port={server.port}",
                "--bind-address=127.0.0.1",
                f"--character-set-server={charset}",
                "--skip-name-resolve",
                *([] if flushes else _NO_FLUSHES),
                "--innodb-fast-shutdown=2",
                "--max-connections=200",
            ],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )


def _wait_for(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit(f"MariaDB does not start:\n{(server.folder / 'log').read_text(errors='replace')}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
