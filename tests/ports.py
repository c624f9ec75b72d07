"""Ports of loopback that are chosen before a process listens there, and are still free when it does."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_FIRST = 10_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_locks: list[int] = []
"""Files that are locked while this process lives: each keeps a port from the other test processes."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nothing listens on and that no other test process was given.

    It is below the ephemeral ports, so that no outgoing connection takes it meanwhile. RuntimeError where
    none is left.
    """
    folder = Path(tempfile.gettempdir()) / "efcp-test-ports"
    folder.mkdir(mode=0o777, exist_ok=True)
    end = int(_EPHEMERAL.read_text().split()[0])
    for port in random.sample(range(_FIRST, end), end - _FIRST):
        lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT, 0o666)
        if _is_locked(lock) and _is_free(port, kind):
            _locks.append(lock)
            return port
        os.close(lock)
    raise RuntimeError("No port of loopback is free.")


def _is_locked(file: int) -> bool:
    """Whether this process could lock the file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
