"""How gunicorn serves the panel: `gunicorn --config efcp/launch/gunicorn_config.py efcp.asgi`."""

import contextlib
import gc
import os
import sys
from typing import Any

from efcp.configuration import in_url, load
from efcp.environment import ConfigurationError
from efcp.launch.supervisor import LISTENING_FD, READY_FD

try:
    _configuration = load()
except ConfigurationError as error:
    sys.exit(str(error))

_listening = os.environ.get(LISTENING_FD)
bind = f"fd://{_listening}" if _listening else f"{in_url(_configuration.host)}:{_configuration.port}"
# Threads are counted per kind of request (efcp/launch/serving/lanes.py).
worker_class = "efcp.launch.serving.connections.LimitedWorker"
workers = 2
asgi_loop = "asyncio"
asgi_lifespan = "off"
# How long the event loop of a process may stand still; requests have their own limits.
timeout = 60
# A reload waits so long for what is under way, such as an upload; who stops the panel ends it sooner.
graceful_timeout = 600
keepalive = 30
# The address of a client behind a trusted proxy is worked out by the panel itself (efcp/proxy_headers.py).
forwarded_allow_ips = ""
control_socket_disable = True
# Loaded once for all workers, but for `make dev`: a worker that starts again is to load changed code.
preload_app = "--reload" not in os.environ.get("GUNICORN_CMD_ARGS", "")


def _serves_panel(arbiter_or_worker: Any) -> bool:
    """`make bench` serves a bare page by this file too."""
    return bool(arbiter_or_worker.app.app_uri == "efcp.asgi")


def when_ready(server: object) -> None:
    """Load every page before the workers start: the first request to one is as fast as the next.

    What is loaded is taken out of garbage collection, which would delay pages and copy shared memory.
    """
    if preload_app and _serves_panel(server):
        from efcp.launch.warming import load_pages  # Django is set up only now

        load_pages()
    gc.collect()
    gc.freeze()


def post_worker_init(worker: object) -> None:
    """Limit waits for the database, and read what the first page will."""
    from efcp.database.limits import limit_pages  # Django is set up only now

    limit_pages()
    if _serves_panel(worker):
        from efcp.launch.warming import read_once

        read_once()
    if ready := os.environ.pop(READY_FD, None):
        with contextlib.suppress(BrokenPipeError):  # another worker was first, and that was enough
            os.write(int(ready), b"1")
        os.close(int(ready))
