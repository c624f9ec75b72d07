"""Reading and storing what each proxy loaded last of a module's table (see load_reports)."""

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime

from django.db import transaction

from efcp.clock import in_words
from efcp.proxies.load_reports import (
    LastLoad,
    LoadSource,
    PanelLoad,
    Row,
    panel_load,
    partition_of,
)
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import LoadedRows, Proxy, ProxyLoad
from efcp.proxies.storing import lock_proxy

MAX_ROWS = 100_000
"""Rows that are kept of one load; a larger table is compared by its counts alone."""

LAST_LOAD = (
    "source",
    "started_at",
    "failed_at",
    "loaded",
    "discarded",
    "problem",
    "other_table",
    "rows__digest",
    "reports_cursor",
    "reports_requested_at",
)
"""Where ProxyLoad has the fields of LastLoad, in their order."""

SHOWN_COLUMNS = ("proxy_id", "module", "partition", *LAST_LOAD[:7], "rows_id")
"""The columns of ProxyLoad that say what a proxy loaded; the others, how far its reports were read."""


@retried_on_lock
def record_panel_load(proxy: Proxy, module: str, partition: str, own: PanelLoad) -> None:
    """Store what this panel's reload loaded, unless a later load was reported already."""
    with transaction.atomic():
        if not lock_proxy(proxy):
            return
        load = panel_load(stored_load(proxy.pk, module, partition), own)
        if load is not None:
            rows = None if load.problem or own.rows is None else _stored(own.rows)
            write_load(proxy.pk, module, partition, load, rows)


def stored_load(proxy_id: int, module: str, partition: str) -> LastLoad:
    """The last load of one module and partition; an empty one where nothing is known of it."""
    rows = ProxyLoad.objects.filter(proxy_id=proxy_id, module=module, partition=partition)
    found = rows.values_list(*LAST_LOAD).first()
    return LastLoad(*found) if found else LastLoad()


def write_load(
    proxy_id: int, module: str, partition: str, load: LastLoad, rows: LoadedRows | None = None
) -> None:
    """Write the last load, within a transaction that holds the proxy's lock.

    The rows of a load without a digest become `rows`; with a digest they stay.
    """
    columns = {
        column: value
        for column, value in zip(LAST_LOAD, astuple(load), strict=True)
        if column != "rows__digest"
    }
    if load.digest is None:
        columns["rows"] = rows
    ProxyLoad.objects.update_or_create(
        proxy_id=proxy_id, module=module, partition=partition, defaults=columns
    )


def last_loads(proxies: Sequence[Proxy], module: str) -> dict[int, LastLoad]:
    """The last load of each proxy's partition of `module`, by the proxy's id, in one query."""
    partitions = {each.pk: partition_of(module, each.partition) for each in proxies}
    found = ProxyLoad.objects.filter(proxy__in=proxies, module=module)
    return {
        proxy_id: LastLoad(*columns)
        for proxy_id, partition, *columns in found.values_list("proxy_id", "partition", *LAST_LOAD)
        if partition == partitions[proxy_id]
    }


def loaded_rows(digest: str) -> tuple[Row, ...] | None:
    """The rows that a digest stands for, in the order in which they were stored; None where they are gone."""
    found = LoadedRows.objects.filter(digest=digest).values_list("rows", flat=True).first()
    if found is None:
        return None
    return tuple(map(tuple, json.loads(zlib.decompress(bytes(found)))))


def why_unknown(load: LastLoad, now: datetime) -> str:
    """Why the rows that a load read are not known, as a sentence."""
    age = f"{in_words(now - load.started_at)} ago" if load.started_at else "at an unknown time"
    match load.source:
        case LoadSource.PANEL:
            return load.problem or "What it loaded is unknown."
        case LoadSource.START:
            return f"It loaded the table when it started, {age}."
        case LoadSource.OTHER:
            return f"It was reloaded {age}, outside this panel."
    return "It doesn't report loads."


def _stored(rows: Sequence[Row]) -> LoadedRows:
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    digest = hashlib.sha256(text).hexdigest()
    known = LoadedRows.objects.filter(digest=digest).defer("rows").first()
    if known is not None:
        return known
    return LoadedRows.objects.get_or_create(digest=digest, defaults={"rows": zlib.compress(text, 1)})[0]
