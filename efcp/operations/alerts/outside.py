"""Heartbeat to an outside address, and the watch of the panel's processes over each other.

The leading watcher posts to EFCP_HEARTBEAT_URL every minute, as healthchecks and its like take it: when these
stop, the outside service notifies. The worker beats in the database, and notifies of a stopped watcher, since
the watcher itself can't.
"""

import logging
import ssl
from datetime import datetime

import urllib3
from django.conf import settings

from efcp.mi import Endpoint, EndpointError, MiError
from efcp.mi.endpoint import Reach
from efcp.operations.alerts.conditions import Conditions
from efcp.operations.alerts.delivery import deliver_due, post_bytes
from efcp.operations.alerts.detection import create_notices
from efcp.operations.alerts.process_beats import WATCHER, WORKER, beat, stopped_processes

log = logging.getLogger(__name__)

HEARTBEAT_EVERY_S = 60.0
WORKER_EVERY_S = 10.0


def send_heartbeat(_now: datetime) -> None:
    """Post an empty body to the outside address, if one is set; its path is a secret and is never logged."""
    url = settings.HEARTBEAT_URL
    if not url:
        return
    try:
        endpoint = Endpoint.parse(url, reach=Reach(settings.WEBHOOK_NETWORKS))
        status = post_bytes(endpoint, b"", {})
    except EndpointError as error:
        log.warning("No heartbeat was sent: %s", str(error).replace("MI address", "EFCP_HEARTBEAT_URL"))
    except (MiError, urllib3.exceptions.HTTPError, ssl.SSLError, OSError) as error:
        log.warning("No heartbeat was sent to %s: %s", endpoint.place, type(error).__name__)
    else:
        if not 200 <= status < 300:
            log.warning("The heartbeat to %s was answered with status %d", endpoint.place, status)


_PANEL_ONLY = Conditions(panel_only=True)


def watch_the_watcher(now: datetime) -> None:
    """The worker's turn: beat, and where the watcher has stopped, notify in its place."""
    beat(WORKER, now)
    if WATCHER in stopped_processes(now):
        create_notices(now, _PANEL_ONLY)
        deliver_due(now)
