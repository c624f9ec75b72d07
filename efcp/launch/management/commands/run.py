"""`manage.py run`: the whole panel, until Ctrl-C."""

import errno
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections

from efcp.commands import PanelCommand
from efcp.configuration import EVERY_ADDRESS, PROJECT_DIR, Configuration, Sandbox, in_url
from efcp.launch.preparation import (
    FirstSignIn,
    NoFreePortError,
    PreparationError,
    is_free,
    next_free,
    prepare,
    require_event_address,
)
from efcp.launch.supervisor import LISTENING_FD, Program, Supervisor, end_with_parent, say

LOOPBACK = "127.0.0.1"
BACKLOG = 2_048
FIRST_SYSTEMD_FD = 3
"""Of the sockets that systemd hands over (sd_listen_fds(3)); the panel has one."""


class Command(PanelCommand):
    """Prepare the database, then run panel, watcher, worker and, in the trial, the sandbox proxy."""

    help = "Run the panel, the watcher, the worker and, in the trial, the sandbox proxy, until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--end-with-parent` for `make run`, which a kill -9 would else leave without its panel."""
        parser.add_argument(
            "--end-with-parent", action="store_true", help="end when the process that started this one dies"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run until a signal; one clear line and a non-zero exit where something is in the way."""
        if options["end_with_parent"]:
            end_with_parent()
        configuration: Configuration = settings.CONFIGURATION
        # Until the supervisor listens to it, Ctrl-C ends this process as SIGTERM does: raised as an exception
        # it would get lost wherever one is suppressed.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            listening = _listening_socket(configuration)
            require_event_address(configuration)
            sandbox = _with_free_ports(configuration.sandbox)
            first = prepare(configuration)
        except (PreparationError, NoFreePortError, OSError) as error:
            raise CommandError(str(error)) from None
        connections.close_all()
        manage = [sys.executable, str(PROJECT_DIR / "manage.py")]
        reloading = None if _has_terminal() else [*manage, "prepare"]
        supervisor = Supervisor(_programs(manage, sandbox, listening.fileno()), prepare=reloading)
        threading.Thread(target=_greet, args=(configuration, first), daemon=True).start()
        supervisor.run()


def _listening_socket(configuration: Configuration) -> socket.socket:
    """The socket on which the panel listens: systemd's, or a new one.

    It stays open in this process while panels follow each other: who connects meanwhile waits.
    """
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS"):
        return socket.socket(fileno=FIRST_SYSTEMD_FD)
    host = configuration.host.strip("[]")
    try:
        return socket.create_server(
            (host, configuration.port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=BACKLOG,
        )
    except PermissionError as error:
        raise PreparationError(f"EFCP_PORT is {configuration.port}: {error.strerror}.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PreparationError(
                f"Port {configuration.port} of {configuration.host} is busy: end what listens there, or set"
                " EFCP_PORT."
            ) from None
        raise PreparationError(
            f"EFCP_HOST is {configuration.host}: {os.strerror(error.errno or 0)}."
        ) from None


def _has_terminal() -> bool:
    """Whether a terminal controls this process; SIGHUP says that it was closed then."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY))
    except OSError:
        return False
    return True


def _with_free_ports(sandbox: Sandbox) -> Sandbox:
    """The sandbox's settings with free ports: a busy default is replaced, a busy port that was set is not."""
    if not sandbox.enabled:
        return sandbox
    mi_port = _free_port("EFCP_SANDBOX_MI_PORT", sandbox.mi_port, sandbox.mi_port_is_set, socket.SOCK_STREAM)
    sip_port = _free_port(
        "EFCP_SANDBOX_SIP_PORT", sandbox.sip_port, sandbox.sip_port_is_set, socket.SOCK_DGRAM
    )
    return replace(sandbox, mi_port=mi_port, sip_port=sip_port)


def _free_port(name: str, port: int, is_set: bool, kind: socket.SocketKind) -> int:
    try:
        free = is_free(LOOPBACK, port, kind)
    except OSError as error:
        raise PreparationError(f"{name} is {port}: {error.strerror}.") from None
    if free:
        return port
    if is_set:
        raise PreparationError(f"{name} is {port}, which is busy: end what listens there, or set another.")
    chosen = next_free(LOOPBACK, port + 1, kind)
    say(f"Port {port} is busy, so the sandbox takes {chosen} ({name}).")
    return chosen


def _programs(manage: list[str], sandbox: Sandbox, listening: int) -> list[Program]:
    served_as = str(PROJECT_DIR / "efcp" / "launch" / "gunicorn_config.py")
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", served_as, "efcp.asgi"]
    programs = [
        Program(
            "panel",
            gunicorn,
            {"PYTHONPATH": str(PROJECT_DIR), LISTENING_FD: str(listening)},
            inherits=(listening,),
            announces=True,
        ),
        Program("watch", [*manage, "watch"]),
        Program("work", [*manage, "work"]),
    ]
    if sandbox.enabled:
        ports = {
            "EFCP_SANDBOX_MI_PORT": str(sandbox.mi_port),
            "EFCP_SANDBOX_SIP_PORT": str(sandbox.sip_port),
        }
        programs.append(Program("sandbox", [*manage, "sandbox"], ports, followed=False))
    return programs


def _greet(configuration: Configuration, first: FirstSignIn | None) -> None:
    """Print the address once the panel answers there."""
    host = LOOPBACK if configuration.host in EVERY_ADDRESS else configuration.host
    origin = f"http://{in_url(host)}:{configuration.port}"
    for _attempt in range(150):
        if _answers(f"{origin}/cp/healthz"):
            break
        time.sleep(0.2)
    else:
        say("The panel is not responding yet; see its output above.")
        return
    say(f"\nEFCP runs at {configuration.url or origin}/cp/  (Ctrl-C ends it)")
    if first is not None:
        say(f"First sign-in: {first.username} / {first.password}, which has to be changed at once.\n")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
