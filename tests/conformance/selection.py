"""Recorded selections and states set over MI, against `dispatcher.routing`; one item per step."""

from collections.abc import Iterator, Mapping
from typing import Any

from dispatcher.routing.destinations import LoadedDestination, state_of_word
from dispatcher.routing.environment import Environment
from dispatcher.routing.hashing import Request
from dispatcher.routing.memory import FailoverList, ProxyMemory, UnknownDestinationError
from dispatcher.routing.probing import ProbingSettings
from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.selecting import SelectOptions
from dispatcher.routing.selection import DEFAULT_MAX_RESULTS, NoSelection, parse_flags

Listed = dict[str, list[list[str]]]


def compare(vectors: Any) -> Iterator[str | None]:
    """For each step what differs, or None; the lists before the first and after the last count with those."""
    for scenario in vectors:
        memory = _loaded(scenario)
        before = _list_difference("loaded", scenario["loaded"], memory)
        for number, step in enumerate(scenario["steps"]):
            difference = _set_state(memory, step) if step["op"] == "set_state" else _select(memory, step)
            at_end = number == len(scenario["steps"]) - 1
            after = _list_difference("final", scenario["final"], memory) if at_end else None
            problems = [each for each in (before, difference, after) if each]
            before = None
            yield f"scenario {scenario['id']}, step {number}: {'; '.join(problems)}" if problems else None


def _loaded(scenario: Mapping[str, Any]) -> ProxyMemory:
    environment = Environment(
        resolve=lambda _host, _port, _transport: (), transports=frozenset(scenario["transports"])
    )
    memory = ProxyMemory(environment, ProbingSettings(threshold=scenario["threshold"]))
    memory.reload([DestinationRow(**columns) for columns in scenario["rows"]], inherit_state=False)
    return memory


def _list_difference(when: str, expected: Listed, memory: ProxyMemory) -> str | None:
    got: Listed = {
        str(setid): [[each.loaded.uri, each.health.state.name.capitalize()] for each in destinations]
        for setid, destinations in memory.listed()
    }
    return None if got == expected else f"{when}: expected {expected}, got {got}"


def _set_state(memory: ProxyMemory, step: Mapping[str, Any]) -> str | None:
    state = state_of_word(step["state"])
    assert state is not None
    try:
        memory.set_state(step["set"], step["uri"], state)
        got = "OK"
    except UnknownDestinationError:
        got = "destination not found"
    return None if got == step["result"] else f"{step}: got {got}"


def _select(memory: ProxyMemory, step: Mapping[str, Any]) -> str | None:
    got = _next_hops(memory, step)
    return None if got == step["result"] else f"{step}: got {got}"


def _next_hops(memory: ProxyMemory, step: Mapping[str, Any]) -> list[str] | None:
    """The first choice and those of ds_next_dst, as far as the recording called it."""
    options = SelectOptions(
        flags=parse_flags(step["flags"]),
        max_results=DEFAULT_MAX_RESULTS if step["max"] is None else step["max"],
        load=lambda destination: step.get("loads", {}).get(destination.uri, 0),
        score=_score,
    )
    route = FailoverList()
    selection = memory.select(step["set"], step["alg"], _request(step), options, route)
    if isinstance(selection, NoSelection):
        return None
    hops = [selection.destination.next_hop]
    while len(hops) <= step.get("fails", len(selection.destinations)):
        if "mark" in step:
            _mark(memory, route, step["mark"])
        following = route.next_hop()
        if following is None:
            break
        hops.append(following[0])
    return hops


def _mark(memory: ProxyMemory, route: FailoverList, word: str) -> None:
    state = state_of_word(word)
    assert state is not None
    try:
        memory.mark(route, state)
    except UnknownDestinationError:
        return


def _score(destination: LoadedDestination) -> int:
    return int(destination.attrs)


def _request(step: Mapping[str, Any]) -> Request:
    return Request(
        request_uri=step["ruri"],
        from_uri=step["from"],
        to_uri=step["to"],
        call_id=step["callid"],
        auth_user=step.get("auth"),
        hash_value=step.get("hash"),
    )
