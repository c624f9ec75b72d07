"""`python -m tests.bench.fill ROWS`: fill the database that DATABASE_URL names, for a benchmark."""

import os
import sys
from datetime import timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")
django.setup()

from django.db import connection  # noqa: E402 - Django has to be set up first
from django.utils import timezone  # noqa: E402

from dispatcher.models import Destination  # noqa: E402
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, WatcherHeartbeat  # noqa: E402
from tests.bench.site import PER_SET  # noqa: E402


def main(rows: int) -> None:
    """Replace what is there by `rows` destinations in sets of PER_SET, all held by one proxy."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE dispatcher")
    KnownDestination.objects.all().delete()
    proxy, _ = Proxy.objects.update_or_create(
        name="edge-1", defaults={"mi_url": f"http://127.0.0.1:{os.environ['EFCP_BENCH_MI_PORT']}/mi"}
    )
    made = [
        Destination(
            setid=1 + number // PER_SET,
            destination=f"sip:10.{number >> 16}.{number >> 8 & 255}.{number & 255}:5060",
            weight=str(1 + number % 3),
            attrs="pstn=yes",
            description=f"gateway {number}",
        )
        for number in range(rows)
    ]
    Destination.objects.bulk_create(made, batch_size=2000)
    KnownDestination.objects.bulk_create(
        (
            KnownDestination(
                proxy=proxy,
                partition=proxy.partition,
                setid=row.setid,
                uri=row.destination,
                uri_key=row.destination,
                position=0,
                state="active",
                since=now - timedelta(hours=3),
                attrs=row.attrs or "",
                weight=int(row.weight),
                priority=0,
                description=row.description,
            )
            for row in made
        ),
        batch_size=2000,
    )
    # Fresh for the time of the measurement, as if the watcher went on asking.
    ahead = now + timedelta(minutes=10)
    contact = {"seen_at": ahead, "tried_at": ahead, "asked_at": ahead}
    ProxyContact.objects.update_or_create(proxy=proxy, defaults=contact)
    WatcherHeartbeat.objects.update_or_create(pk=1, defaults={"started_at": now, "beat_at": ahead})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE dispatcher, efcp_known_destination")


if __name__ == "__main__":
    main(int(sys.argv[1]))
