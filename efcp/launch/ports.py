"""Whether ports are free, before a process is started that needs them."""

import errno
import socket

MAX_PORT = 65535


class NoFreePortError(Exception):
    """No port from the wanted one upwards is free; the message is one line for people."""


def is_free(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> bool:
    """Tell whether nobody has `port` of `host`; raise OSError where it can't be had for another reason."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def next_free(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """The first free port from `port` upwards, looking at 200 at most."""
    for candidate in range(port, min(port + 200, MAX_PORT)):
        if is_free(host, candidate, kind):
            return candidate
    raise NoFreePortError(f"No port from {port} to {port + 199} is free.")
