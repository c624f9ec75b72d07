"""Recorded probing rounds against `dispatcher.routing.probing`; one item per destination and round.

The recording tells the state after each round: an answer to one destination does not concern another, so
that the order of answers within a round does not matter.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dispatcher.routing.destinations import state_of_word
from dispatcher.routing.environment import Environment
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.probing import ProbingSettings
from dispatcher.routing.rows import DestinationRow
from efcp.releases import Release


def compare(vectors: Any) -> Iterator[str | None]:
    """For each destination of each round what differs, or None."""
    for number, run in enumerate(vectors):
        memory = _loaded(run)
        for index, cycle in enumerate(run["cycles"]):
            for uri, problem in _observed(memory, cycle):
                yield f"run {number}, round {index}, {uri}: {problem}" if problem else None


def _loaded(run: Mapping[str, Any]) -> ProxyMemory:
    codes = frozenset(int(code) for code in run["options_reply_codes"].split(",") if code.strip())
    settings = ProbingSettings(
        threshold=run["threshold"], everything=run["probing_mode"] == 1, reply_codes=codes
    )
    environment = Environment(resolve=lambda _host, _port, _transport: (), release=Release.of(run["proxy"]))
    memory = ProxyMemory(environment, settings)
    memory.reload([DestinationRow(**columns) for columns in run["rows"]], inherit_state=False)
    return memory


def _observed(memory: ProxyMemory, cycle: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Each destination's URI and what differs: whether it was probed, its state then and after MI."""
    probes = {probe.uri: probe for probe in memory.due_probes()}
    for uri, probe in probes.items():
        if uri in cycle["probed"]:
            memory.on_reply(probe, cycle["probed"][uri])
    after_round = _states(memory)
    for setid, uri, word, reply in cycle["mi"]:
        state = state_of_word(word)
        assert state is not None
        assert reply == "OK"
        memory.set_state(setid, uri, state)
    after_mi = _states(memory)
    for uri, expected in cycle["states"].items():
        recorded = (uri in cycle["probed"], expected, cycle.get("states_after_mi", {}).get(uri))
        got = (uri in probes, after_round[uri], after_mi[uri] if "states_after_mi" in cycle else None)
        yield uri, None if got == recorded else f"expected {recorded}, got {got}"


def _states(memory: ProxyMemory) -> dict[str, str]:
    return {
        each.loaded.uri: each.health.state.name.capitalize()
        for _setid, destinations in memory.listed()
        for each in destinations
    }
