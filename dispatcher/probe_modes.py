"""The probe mode of what proxies hold, as their last load read it: a task of the leading watcher.

ds_list lacks it. It is stored with each destination in memory, so that sets of any size can be counted
by it.
"""

from collections import defaultdict
from datetime import datetime

from django.db import transaction
from django.db.models import F

from dispatcher.loaded import columns_by_identity
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import KnownDestination, Proxy, ProxyContact, ProxyLoad

EVERY_S = 1.0
ROWS_AT_ONCE = 500
_ALWAYS = 1


def carry_out(_now: datetime) -> None:
    """Store the probe modes of proxies that loaded again; one query where none did."""
    loads = ProxyLoad.objects.filter(
        module="dispatcher", partition=F("proxy__partition"), proxy__contact__isnull=False
    )
    for proxy_id, digest, applied in loads.values_list(
        "proxy_id", "rows__digest", "proxy__contact__modes_digest"
    ):
        if (digest or "") != applied:
            _apply(proxy_id, digest or "")


@retried_on_lock
@transaction.atomic
def _apply(proxy_id: int, digest: str) -> None:
    """Store the modes of one proxy's last load; none where it is not known which rows that read."""
    proxy = Proxy.objects.select_for_update().filter(pk=proxy_id).first()
    if proxy is None:
        return
    try:
        loaded = columns_by_identity(digest) if digest else {}
    except LookupError:  # pruned since: a later load is known
        loaded = {}
    of_proxy = KnownDestination.objects.filter(proxy_id=proxy_id, partition=proxy.partition)
    changed: dict[int | None, list[int]] = defaultdict(list)
    known = of_proxy.values_list("pk", "probe_mode", "setid", "uri_key", "occurrence")
    for pk, mode, setid, key, occurrence in known.iterator():
        columns = loaded.get((setid, key, occurrence))
        # Any other value than "always" loads as "only while probing".
        expected = None if columns is None else int(columns.probe_mode == _ALWAYS)
        if expected != mode:
            changed[expected].append(pk)
    for expected, pks in changed.items():
        for start in range(0, len(pks), ROWS_AT_ONCE):
            KnownDestination.objects.filter(pk__in=pks[start : start + ROWS_AT_ONCE]).update(
                probe_mode=expected
            )
    ProxyContact.objects.filter(proxy_id=proxy_id).update(modes_digest=digest)
