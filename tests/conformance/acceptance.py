"""Kind `acceptance`: does a proxy load a row, and as what; and what a panel owes its user for it."""

from collections.abc import Iterator
from typing import Any

from django.http import QueryDict

from dispatcher.forms import DestinationForm
from dispatcher.routing.loading import Environment, LoadBrokenError, LoadedDestination, load
from dispatcher.routing.rows import DestinationRow
from dispatcher.validation import FormEnvironment, SetOfRow
from efcp.releases import Release

SIP_PORT = "5071"
"""Stands for the recording proxy's own port, which the vectors write as `SIP`."""
LISTENER = f"udp:127.0.0.1:{SIP_PORT}"
NAMES = {"localhost": "127.0.0.1", "gw-1.test": "10.7.7.7", "gw_1.test": "10.7.7.7"}
VERSIONS = ("3.4", "3.6", "4.0")
STATES = ("Active", "Inactive", "Probing")
BASE: dict[str, Any] = {"setid": 5, "destination": "sip:10.9.9.9:5060"}
BESIDE = DestinationRow(setid=1, destination="sip:10.8.8.8")


def resolve(host: str, _port: int | None, _transport: str) -> tuple[str, ...]:
    """The names of the recording's environment."""
    found = NAMES.get(host.lower())
    return (found,) if found else ()


FORM_ENVIRONMENT = FormEnvironment(
    resolve=resolve,
    known_sockets=lambda: [LISTENER],
    unstorable=lambda _column, _text: "",
    set_of=lambda _setid: SetOfRow(rows=1, weight=1, active=1),
    rows_of_set=lambda _setid: [],
    duplicate=lambda _setid, _destination, _own_id: None,
)


def row_under_test(change: dict[str, Any]) -> dict[str, Any]:
    """The columns of the row, with the recording's placeholder replaced."""
    columns = BASE | change
    if columns.get("socket"):
        columns["socket"] = columns["socket"].replace("SIP", SIP_PORT)
    return columns


def compare(vectors: Any) -> Iterator[str | None]:
    """Compare each row with what each version did; one item per row, None where all is the same."""
    for vector in vectors:
        problems = [
            f"{version}: {problem}"
            for version in VERSIONS
            if (problem := _loading_problem(vector["change"], vector.get("all") or vector[version], version))
        ]
        problems.extend(filter(None, [_form_problem(vector["change"], vector["must"])]))
        yield f"{vector['change']}: {'; '.join(problems)}" if problems else None


def _loading_problem(change: dict[str, Any], recorded: dict[str, Any], version: str) -> str | None:
    if "db_error" in recorded:
        return None
    environment = Environment(resolve=resolve, listeners=(LISTENER,), release=Release.of(version))
    try:
        loaded = load([BESIDE, DestinationRow(**row_under_test(change))], environment)
    except LoadBrokenError:
        return None if recorded["reload"] != "OK" else "the reload fails here"
    if recorded["reload"] != "OK":
        return "the reload works here"
    mine = [each for members in loaded.sets.values() for each in members if each.uri != BESIDE.destination]
    if not recorded["loaded"]:
        return None if not mine else "loaded here"
    if not mine:
        return f"dropped here: {[finding.text for finding in loaded.findings]}"
    return _difference(listed(mine[0]), recorded) or _next_hop_problem(loaded.sets, mine[0], recorded)


def listed(destination: LoadedDestination) -> dict[str, Any]:
    """What ds_list with `full` tells of a destination that has just been loaded."""
    row = {
        "URI": destination.uri,
        "state": STATES[destination.state],
        "first_hit_counter": 0,
        "socket": (destination.socket or "").replace(SIP_PORT, "SIP"),
        "attr": destination.attrs,
        "weight": destination.weight,
        "priority": destination.priority,
        "description": destination.description,
        "resolved_addresses": list(destination.addresses),
        "setid": destination.setid,
    }
    return {name: value for name, value in row.items() if value != ""}


def _difference(mine: dict[str, Any], recorded: dict[str, Any]) -> str | None:
    theirs = recorded["listed"]
    differing = {name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)}
    return (
        ", ".join(f"{name} {mine.get(name)!r} for {theirs.get(name)!r}" for name in sorted(differing)) or None
    )


def _next_hop_problem(
    sets: dict[int, tuple[LoadedDestination, ...]], mine: LoadedDestination, recorded: dict[str, Any]
) -> str | None:
    """The recording selects the set's first active destination; bytes that are undefined are not compared."""
    active = [each for each in sets[mine.setid] if each.state == 0 and mine.setid >= 0]
    theirs = recorded["next_hop"]
    if not active or theirs is None:
        return None if not active and theirs is None else f"next hop {active} for {theirs!r}"
    chosen = active[0]
    # Whatever follows a comma is missing from the recording.
    known, comma, _ = chosen.next_hop.partition(",")
    undefined = 0 if comma else chosen.undefined_bytes
    # Undefined bytes can be fewer characters in the recording, or end it early.
    if theirs.startswith(known) and len(theirs) <= len(known) + undefined:
        return None
    return f"next hop {chosen.next_hop!r} for {theirs!r}"


def _form_problem(change: dict[str, Any], must: str) -> str | None:
    """What the panel's form makes of the row, against what it owes its user."""
    form = DestinationForm(_typed(change), environment=FORM_ENVIRONMENT)
    if must == "reject" and form.is_valid():
        return "the form takes it"
    if must == "accept" and not form.is_valid():
        return f"the form refuses it: {form.errors.as_json()}"
    return None


def _typed(change: dict[str, Any]) -> QueryDict:
    """The row as a browser would send it; NULL is an empty field."""
    data = QueryDict(mutable=True)
    defaults = {"state": 0, "probe_mode": 0, "weight": "1", "priority": 0}
    for name, value in (defaults | row_under_test(change)).items():
        data[name] = "" if value is None else str(value)
    return data
