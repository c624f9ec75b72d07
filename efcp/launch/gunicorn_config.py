"""How gunicorn serves the panel: `gunicorn --config efcp/launch/gunicorn_config.py efcp.asgi`."""

import gc
import sys

from efcp.configuration import in_url, load
from efcp.environment import ConfigurationError

try:
    _configuration = load()
except ConfigurationError as error:
    sys.exit(str(error))

bind = f"{in_url(_configuration.host)}:{_configuration.port}"
# Threads are counted per kind of request (efcp/launch/serving/lanes.py).
worker_class = "efcp.launch.serving.connections.LimitedWorker"
workers = 2
asgi_loop = "asyncio"
asgi_lifespan = "off"
# How long the event loop of a process may stand still; requests have their own limits.
timeout = 60
graceful_timeout = 10
keepalive = 30
# The address of a client behind a trusted proxy is worked out by the panel itself (efcp/proxy_headers.py).
forwarded_allow_ips = ""
control_socket_disable = True


def post_worker_init(_worker: object) -> None:
    """Limit waits for the database; take what is loaded out of garbage collection, which delays pages."""
    from efcp.database.limits import limit_pages  # Django is set up only now

    limit_pages()
    gc.collect()
    gc.freeze()
