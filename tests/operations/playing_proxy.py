"""A proxy played on loopback: it loads, keeps states, and says so over MI, as slowly or wrongly as told."""

import threading
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from efcp.mi import Endpoint, MiClient
from efcp.proxies.models import Proxy
from efcp.proxies.services import store_identity, store_snapshot
from efcp.proxies.snapshot import Snapshot
from tests.proxies.mi_server import JSON, MiServer, listed

STATES = {"a": "Active", "i": "Inactive", "p": "Probing"}


@dataclass
class PlayingProxy(MiServer):
    """An MI server with a memory of its own.

    ds_reload takes over `table` (with `discarded` rows dropped), is refused with `reload_refusal`, or waits
    while `reload_waits`. ds_set_state changes the first destination of that URI. `said` keeps every command
    with its parameters.
    """

    table: dict[int, list[str]] = field(default_factory=dict)
    discarded: int = 0
    reload_refusal: str = ""
    reload_waits: bool = False
    said: list[tuple[str, JSON]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def result_of(self, method: str, params: JSON) -> JSON:
        """The reply's `result` or `error`."""
        self.said.append((method, params))
        match method:
            case "ds_reload":
                return self._reload()
            case "ds_set_state":
                return self._set_state(params)
            case "sr_list_reports":
                return {"result": self._reports()}
        return super().result_of(method, params)

    def commands_of(self, method: str) -> list[JSON]:
        """The parameters of every command of this name that came."""
        return [params for said, params in self.said if said == method]

    def row(self, name: str = "edge-1", **columns: Any) -> Proxy:
        """Store the proxy as a row of the panel."""
        return Proxy.objects.create(name=name, mi_url=self.url, **columns)

    def remembered(self, proxy: Proxy) -> Proxy:
        """Have the panel know what the proxy holds now, as the watcher would."""
        client = MiClient(Endpoint.parse(self.url))
        asked_at = timezone.now()
        listing = client.ds_list(full=True, partition=proxy.partition)
        store_snapshot(proxy, Snapshot.of(listing, proxy.partition, asked_at))
        store_identity(proxy, client.version().version, asked_at, self.up_since)
        return proxy

    def stop(self) -> int:
        """Stop listening, and let go whatever waits."""
        self.released.set()
        return super().stop()

    def _reload(self) -> JSON:
        if self.reload_waits:
            self.released.wait(20)
        if self.reload_refusal:
            return {"error": {"code": 500, "message": self.reload_refusal}}
        former = {
            (setid, each["URI"]): each["state"] for setid, members in self.sets.items() for each in members
        }
        self.sets = {
            setid: [listed(uri, former.get((setid, uri), "Active")) for uri in uris]
            for setid, uris in self.table.items()
        }
        return {"result": "OK"}

    def _set_state(self, params: JSON) -> JSON:
        setid = int(str(params["group"]).rpartition(":")[2])
        for each in self.sets.get(setid, []):
            if each["URI"].lower() == params["address"].lower():
                each["state"] = STATES[params["state"]]
                return {"result": "OK"}
        return {"error": {"code": 404, "message": "destination not found"}}

    def _reports(self) -> list[JSON]:
        loaded = sum(map(len, self.sets.values()))
        return [
            {"Timestamp": 1764000000, "Date": "x", "Log": "starting DB data loading"},
            {
                "Timestamp": 1764000000,
                "Date": "x",
                "Log": f"{loaded} destinations loaded ({self.discarded} discarded)",
            },
        ]
