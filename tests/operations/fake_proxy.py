"""A proxy stand-in on loopback: it loads, keeps states and reports over MI, slowly or wrongly if set."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from efcp.mi import Endpoint, MiClient
from efcp.proxies.memory import Snapshot
from efcp.proxies.models import Proxy
from efcp.proxies.reconcile import ProxyAnswer, ProxyIdentity
from efcp.proxies.visits import visit
from tests.factories import ProxyFactory
from tests.proxies.mi_server import JSON, FakeMi, listed

STATES = {"a": "Active", "i": "Inactive", "p": "Probing"}


@dataclass
class FakeProxy(FakeMi):
    """An MI server with a memory of its own.

    ds_reload takes over `table` (with `discarded` rows dropped), is refused with `reload_refusal`, or waits
    while `reload_waits`; each load is reported, and `load` is one from elsewhere. ds_set_state changes the
    first destination of that URI. `calls` keeps every command with its parameters.
    """

    table: dict[int, list[str]] = field(default_factory=dict)
    discarded: int = 0
    reload_refusal: str = ""
    reload_waits: bool = False
    calls: list[tuple[str, JSON]] = field(default_factory=list)
    load_reports: list[JSON] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def result_of(self, method: str, params: JSON) -> JSON:
        """The reply's `result` or `error`."""
        self.calls.append((method, params))
        match method:
            case "ds_reload":
                return self._reload()
            case "ds_set_state":
                return self._set_state(params)
            case "sr_list_reports":
                return {"result": self._reports(params)}
        return super().result_of(method, params)

    def commands_of(self, method: str) -> list[JSON]:
        """The parameters of every command of this name that came."""
        return [params for name, params in self.calls if name == method]

    def row(self, name: str = "edge-1", **columns: Any) -> Proxy:
        """Store the proxy as a row of the panel."""
        return ProxyFactory.create(name=name, mi_url=self.url, **columns)

    def remembered(self, proxy: Proxy) -> Proxy:
        """Have the panel know what the proxy holds now, as the watcher would."""
        client = MiClient(Endpoint.parse(self.url))
        requested_at = timezone.now()
        listing = client.ds_list(full=True, partition=proxy.partition)
        identity = ProxyIdentity(client.version().version, requested_at, self.up_since)
        visit(proxy, ProxyAnswer(Snapshot.of(listing, proxy.partition, requested_at), identity))
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
        self.load()
        return {"result": "OK"}

    def restart(self) -> None:
        """Load again, as a process that keeps nothing from before."""
        self.load_reports.clear()
        self.sets, self.up_since = {}, "Tue Nov 24 10:00:00 2026"
        # Reports tell whole seconds, and no process starts within the second in which another one loaded.
        self.load(at=time.time() + 2)

    def load(self, at: float | None = None) -> None:
        """Take over the table, keep the states in memory, and report that."""
        former = {
            (setid, each["URI"]): each["state"] for setid, members in self.sets.items() for each in members
        }
        self.sets = {
            setid: [listed(uri, former.get((setid, uri), "Active")) for uri in uris]
            for setid, uris in self.table.items()
        }
        count = sum(map(len, self.sets.values()))
        texts = (
            "starting DB data loading",
            "DB data loading successfully completed",
            f"{count} destinations loaded ({self.discarded} discarded)",
        )
        second = int(time.time() if at is None else at)
        self.load_reports += [{"Timestamp": second, "Date": "x", "Log": text} for text in texts]

    def _set_state(self, params: JSON) -> JSON:
        setid = int(str(params["group"]).rpartition(":")[2])
        for each in self.sets.get(setid, []):
            if each["URI"].lower() == params["address"].lower():
                each["state"] = STATES[params["state"]]
                return {"result": "OK"}
        return {"error": {"code": 404, "message": "destination not found"}}

    def _reports(self, params: JSON) -> list[JSON]:
        if params.get("group") == "dialplan":
            return []
        return self.load_reports[-20:]


Play = Callable[..., FakeProxy]
"""What the fixture `play` returns: it starts a fake proxy."""
