"""`python -m tests.bench.fill ROWS MI_URL`: fill the database that DATABASE_URL names, for a benchmark."""

import os
import random
import sys
import time
from datetime import timedelta

import django
import urllib3

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")
django.setup()

from django.db import connection  # noqa: E402 - Django has to be set up first
from django.db.models import F  # noqa: E402
from django.utils import timezone  # noqa: E402

from dialplan.models import MatchOperator, Rule  # noqa: E402
from dispatcher.models import Destination  # noqa: E402
from efcp.proxies.models import KnownDestination, Proxy  # noqa: E402
from tests.bench.site import PER_SET  # noqa: E402

LOADED_WITHIN_S = 120


def main(rows: int, mi_url: str) -> None:
    """Replace what is there by `rows` destinations in sets of PER_SET and as many rules.

    The proxy loads them and the watcher reads them, as on a site; then each gets an age of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE dispatcher")
        cursor.execute("TRUNCATE dialplan")
    # The sandbox has registered itself.
    proxy = Proxy.objects.filter(mi_url=mi_url).first() or Proxy.objects.create(name="edge-1", mi_url=mi_url)
    _add_rows(rows)
    _request(mi_url, "ds_reload")
    _request(mi_url, "dp_reload")
    deadline = time.monotonic() + LOADED_WITHIN_S
    known = KnownDestination.objects.filter(proxy=proxy)
    last = f"sip:10.{rows - 1 >> 16}.{rows - 1 >> 8 & 255}.{rows - 1 & 255}:5060"
    while known.count() != rows or not known.filter(uri=last).exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"The watcher has read {known.count()} of {rows} destinations.")
        time.sleep(0.5)
    _scatter_ages(proxy)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE TABLE dispatcher, dialplan, efcp_known_destination")
    # The server is still busy with purging what was there before.
    time.sleep(2)


def _add_rows(rows: int) -> None:
    Destination.objects.bulk_create(
        (
            Destination(
                setid=1 + number // PER_SET,
                destination=f"sip:10.{number >> 16}.{number >> 8 & 255}.{number & 255}:5060",
                weight=str(1 + number % 3),
                attrs="pstn=yes",
                description=f"gateway {number}",
            )
            for number in range(rows)
        ),
        batch_size=2000,
    )
    Rule.objects.bulk_create(
        (
            Rule(
                dpid=1 + number // 100,
                pr=number % 100,
                match_op=MatchOperator.REGEX,
                match_exp=f"^0{number}([0-9]+)$",
                subst_exp=f"^0{number}([0-9]+)$",
                repl_exp="+49\\1",
                attrs="national",
            )
            for number in range(rows)
        ),
        batch_size=2000,
    )


def _scatter_ages(proxy: Proxy) -> None:
    """Ages from minutes to days, as on a site: rows that are all of one age render alike."""
    dice = random.Random(1)
    now = timezone.now()
    known = KnownDestination.objects.filter(proxy=proxy).annotate(part=F("pk") % 500)
    for part in range(500):
        known.filter(part=part).update(since=now - timedelta(minutes=dice.randrange(1, 10_000)))


def _request(mi_url: str, method: str) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": method}
    answer = urllib3.request("POST", mi_url, json=body, timeout=60, retries=False).json()
    if "error" in answer:
        raise SystemExit(f"{method}: {answer['error']}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
