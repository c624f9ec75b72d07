"""Which proxies belong together: members of a cluster, and those that share a table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.conf import settings

from efcp.proxies.models import Proxy
from efcp.proxies.selectors import WatchedProxy, watched_proxies

CircleKey = tuple[str, str] | int
"""Cluster and partition, or the id of a proxy without a cluster."""


def circle_key(proxy: Proxy) -> CircleKey:
    """The same for proxies that replicate states among themselves."""
    return (proxy.cluster, proxy.partition) if proxy.cluster else proxy.pk


def circles(proxies: Iterable[Proxy]) -> list[list[Proxy]]:
    """These proxies with all enabled members of their clusters; in each circle, first those that answer."""
    chosen = list(proxies)
    known = watched_proxies() if any(proxy.cluster for proxy in chosen) else ()
    members: dict[CircleKey, list[WatchedProxy]] = defaultdict(list)
    for each in known:
        members[circle_key(each.proxy)].append(each)
    found: dict[CircleKey, list[Proxy]] = {}
    for proxy in chosen:
        of_cluster = members[circle_key(proxy)] if proxy.cluster else []
        ordered = [each.proxy for each in sorted(of_cluster, key=lambda each: not each.fresh)]
        found.setdefault(circle_key(proxy), ordered or [proxy])
    return list(found.values())


def left_out(chosen: Sequence[Proxy], watched: Sequence[WatchedProxy]) -> list[Proxy]:
    """The proxies that are not chosen, although they share a table with one that is.

    Of one partition all proxies share the table, but for a sandbox beside them. The members of a chosen
    proxy's cluster get the state by it.
    """
    reached = {circle_key(proxy) for proxy in chosen} | {proxy.pk for proxy in chosen}
    partitions = {proxy.partition for proxy in chosen if _shares_its_table(proxy)}
    return [
        each.proxy
        for each in watched
        if _shares_its_table(each.proxy)
        and each.proxy.partition in partitions
        and not {each.proxy.pk, circle_key(each.proxy)} & reached
    ]


def _shares_its_table(proxy: Proxy) -> bool:
    return settings.SANDBOX_IS_PART_OF_ALL or not proxy.is_sandbox
