"""One count of a call log as the panel's worker does it, on a database that is made for it."""

import os
import resource
import time
from pathlib import Path

from django.core.management import call_command
from django.utils import timezone

from dispatcher.models import Destination
from dispatcher.routing.selection import Algorithm
from efcp.audit.services import Actor
from efcp.jobs.models import JobRun
from efcp.jobs.running import run_job
from efcp.jobs.uploads import ReceivedFile, upload_path
from efcp.preview.distribution import services
from efcp.preview.distribution.question import LogColumns, SelectArguments, guess_columns
from efcp.preview.models import CallLog
from efcp.preview.sources import sources
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact
from efcp.proxies.selectors import watched_proxies

DESTINATIONS = 100
AIM_S = 30
AIM_MB = 1000

_ACTOR = Actor("bench")


def count(path: Path, calls: int) -> None:
    """Count the file by Call-ID and by From URI; print what each takes, the start of its process included."""
    call_command("migrate", verbosity=0)
    _add_destinations()
    log = _uploaded(path)
    for algorithm in (Algorithm.CALL_ID, Algorithm.FROM_URI):
        job = _requested_job(log, algorithm)
        started = time.perf_counter()
        run_job.func(job.pk)
        took = time.perf_counter() - started
        job.refresh_from_db()
        if job.result is None or job.result["rows"] != calls:
            raise SystemExit(f"{path.name} was not counted: {job.outcome} {job.message}")
        # Of all children so far: each has a limit of its own besides.
        megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
        print(
            f"{path.suffix[1:]:<8} algorithm {algorithm:d} {took:7.1f} s (aim {AIM_S})"
            f" {megabytes:7.0f} MB (aim {AIM_MB}) {calls / took / 1e6:6.1f} million calls a second",
            flush=True,
        )


def _add_destinations() -> None:
    """Rows of set 1, the last of which the proxy's memory lacks."""
    Destination.objects.all().delete()
    Proxy.objects.all().delete()
    now = timezone.now()
    proxy = Proxy.objects.create(name="edge-1", mi_url="http://127.0.0.1:9/mi")
    ProxyContact.objects.create(proxy=proxy, attempted_at=now, answered_at=now, requested_at=now)
    for number in range(DESTINATIONS):
        uri, weight = f"sip:10.0.0.{number}", 1 + number % 3
        Destination.objects.create(setid=1, destination=uri, weight=str(weight))
        if number == DESTINATIONS - 1:
            continue
        KnownDestination.objects.create(
            proxy=proxy,
            partition=proxy.partition,
            setid=1,
            uri=uri,
            uri_key=uri,
            position=number,
            state="active",
            weight=weight,
            priority=0,
            since=now,
        )


def _uploaded(path: Path) -> CallLog:
    upload_path("").mkdir(parents=True, exist_ok=True)
    token = path.suffix[1:]
    os.link(path, upload_path(token))
    with path.open("rb") as file:
        return services.keep(ReceivedFile(file, path.name, path.stat().st_size, token), _ACTOR)


def _requested_job(log: CallLog, algorithm: Algorithm) -> JobRun:
    keys = [each.key for each in sources(watched_proxies())]
    return services.count(
        log,
        SelectArguments(1, algorithm),
        LogColumns(guess_columns(log.columns), log.has_header),
        keys,
        _ACTOR,
    )
