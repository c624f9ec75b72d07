"""`python -m tests.bench`: how fast the panel is; its pages beside a bare Django page and the old panel.

The old panel is measured along where EFCP_BENCH_OLD_PANEL is its address with user and password, such as
`http://admin:opensips@127.0.0.1:8918/cp/`, EFCP_BENCH_DATABASE_URL the database that it reads, and
EFCP_BENCH_MI_URL the proxy that both ask.
"""

import argparse

from tests.bench import call_log, frames, outages, probing, replay, script, takeover, translation
from tests.bench.clients import Client, OldPerson, Person
from tests.bench.pages import Pages
from tests.bench.site import BenchSite, running_site


def pages(site: BenchSite, sizes: list[int], requests: int) -> None:
    """Print what is measured of pages at each size."""
    person, bare = Person(site), Client(site.yardstick)
    bare.cookies["sessionid"] = site.yardstick_session
    old = OldPerson(site.old_panel) if site.old_panel else None
    for size in sizes:
        measured = Pages(site, size, requests, person, old, bare)
        measured.measure()
        if size in {1_000, 10_000}:
            measured.throughput()
            measured.watched()


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--sizes", default="100,1000,10000,50000")
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--only-pages", action="store_true")
    arguments = parser.parse_args()
    # Pages first: after the log's gigabytes the machine is busy with its memory for a while.
    with running_site() as site:
        pages(site, [int(text) for text in arguments.sizes.split(",")], arguments.requests)
    if arguments.only_pages:
        return
    replay.measure()
    call_log.measure()
    probing.measure()
    script.measure()
    frames.measure()
    translation.measure()
    translation.measure_many()
    takeover.measure()
    outages.measure()


if __name__ == "__main__":
    main()
