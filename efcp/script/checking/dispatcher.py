"""ds_select_dst, ds_mark_dst, dp_translate and their like: sets, algorithms, flags, partitions, dialplans."""

import re
from collections.abc import Iterator

from efcp.script.checking.overview import Overview, Site
from efcp.script.findings import ScriptFinding, ScriptSeverity, error, hint, warning
from efcp.script.language.syntax import ArgumentKind, RouteKind

SELECTING = ("ds_select_dst", "ds_select_domain")
DEFAULT_PARTITION = "default"

_LAST_ALGORITHM = 10
_FLAGS = frozenset("fuda ")
_PARAMETERS = {
    7: ("hash_pvar", '"$fU"', "every call here fails"),
    9: ("pvar_algo_pattern", '"$stat(load_%u)"', "the first destination gets all calls"),
    10: ("algo_route", '"score"', "every call here fails"),
}
"""What an algorithm reads, an example of it, and what happens without (ds_select_dst in dispatch.c)."""

_PARTITION_POSITIONS = {
    "ds_select_dst": 3,
    "ds_select_domain": 3,
    "ds_next_dst": 0,
    "ds_next_domain": 0,
    "ds_mark_dst": 1,
    "ds_is_in_list": 3,
    "ds_count": 3,
}
_OLD_FLAGS = re.compile(r"(?P<flags>[fuda]*)\s*M(?P<most>\d+)", re.IGNORECASE)
"""As versions before 3.0 wrote flags and the most results in one: FM3."""
_NAMED_PARTITION = re.compile(r"\s*(?P<name>[^:=;\s]+)\s*:")


def default_partition(overview: Overview) -> str:
    """The partition that counts where none is named: a `partition` parameter of a name alone changes it."""
    for parameter in overview.parameters_of("dispatcher", "partition"):
        value = str(parameter.value)
        if ":" not in value and "=" not in value and value.strip():
            return value.strip()
    return DEFAULT_PARTITION


def partition_of(overview: Overview, site: Site) -> str | None:
    """The partition that a call is about; None where a variable says it."""
    name = site.text(_PARTITION_POSITIONS[site.call.name])
    return name.strip() or default_partition(overview) if name is not None else None


def in_panels_table(overview: Overview, site: Site) -> bool:
    """Whether a call is about the table that the panel knows."""
    table = overview.value("dispatcher", "table_name")
    return partition_of(overview, site) == DEFAULT_PARTITION and table in (None, "dispatcher")


def sets(overview: Overview) -> Iterator[ScriptFinding]:
    """A set that can not be selected as the table stands: every call that comes here is refused."""
    for site in overview.named(*SELECTING):
        number = site.number(0)
        if number is not None and number < 0:
            text = f"Set {number} can never be selected: a set ID is 0 or more."
            yield error("set-negative", site.place, text)
        elif number is not None and in_panels_table(overview, site):
            yield from _as_the_table_stands(overview, site, number)


def _as_the_table_stands(overview: Overview, site: Site, number: int) -> Iterator[ScriptFinding]:
    if overview.tables.sets is None:
        return
    facts = overview.tables.sets.get(number)
    if facts is None:
        text = f"The dispatcher table has no set {number}: every call here fails."
        yield error("set-missing", site.place, f"{text} Add it, or write another set.")
    elif not facts.rows:
        text = f"Set {number} has no destinations: every call here fails. Add one in the panel."
        yield error("set-empty", site.place, text)
    elif not facts.selectable:
        text = f"All destinations of set {number} are inactive: every call here fails. Activate one."
        yield warning("set-inactive", site.place, text)


def algorithms(overview: Overview) -> Iterator[ScriptFinding]:
    """There are 0 to 10; any other takes the first destination each time (dispatch.c)."""
    for site in overview.named(*SELECTING):
        number = site.number(1)
        if number is None:
            continue
        if not 0 <= number <= _LAST_ALGORITHM:
            text = f"Unknown algorithm {number}: the first destination gets all calls. Use 0 to 10;"
            yield warning("algorithm-unknown", site.place, f"{text} 4 is round robin.")
        elif number in _PARAMETERS and overview.is_whole:
            yield from _without_parameter(overview, site, number)


def _without_parameter(overview: Overview, site: Site, algorithm: int) -> Iterator[ScriptFinding]:
    name, example, effect = _PARAMETERS[algorithm]
    if overview.value("dispatcher", name):
        return
    severity = ScriptSeverity.WARNING if algorithm == 9 else ScriptSeverity.ERROR
    text = f"Algorithm {algorithm} needs {name}: without it {effect}."
    message = f'{text} Write modparam("dispatcher", "{name}", {example}).'
    yield ScriptFinding(severity, "algorithm-without-parameter", site.place, message)


def flags(overview: Overview) -> Iterator[ScriptFinding]:
    """The flags are f, u, d and a, of either case: others stop the start (fixup_ds_flags in ds_fixups.c)."""
    for site in overview.named(*SELECTING):
        if len(site.call.arguments) > 2 and site.call.arguments[2].kind is ArgumentKind.NUMBER:
            text = 'The flags are letters in quotes, as "f": the proxy does not start.'
            yield error("flag-unknown", site.place, text)
            continue
        wrong = sorted(set((site.text(2) or "").lower()) - _FLAGS)
        if old := _OLD_FLAGS.fullmatch(site.text(2) or ""):
            text = (
                f"{old[0]} is of versions before 3.0: the proxy does not start. Give the most results as the"
            )
            message = (
                f'{text} fifth argument: {site.call.name}(…, "{old["flags"].lower()}", , {old["most"]}).'
            )
            yield error("flag-unknown", site.place, message)
        elif wrong:
            text = f"Unknown flag {', '.join(wrong)[:60]}: the proxy does not start. There are f, u, d, a."
            yield error("flag-unknown", site.place, text)


def partitions(overview: Overview) -> Iterator[ScriptFinding]:
    """A partition that no parameter defines: the proxy does not start (fixup_ds_part in ds_fixups.c)."""
    if not overview.is_whole:
        return
    defined = {DEFAULT_PARTITION, default_partition(overview)}
    for parameter in overview.parameters_of("dispatcher", "partition"):
        if match := _NAMED_PARTITION.match(str(parameter.value)):
            defined.add(match["name"])
    for site in overview.named(*_PARTITION_POSITIONS):
        name = partition_of(overview, site)
        if name is not None and name not in defined and not is_swapped(site):
            text = f"The partition {name[:60]} is not defined: the proxy does not start. Write"
            message = f'{text} modparam("dispatcher", "partition", "{name[:60]}: db_url=…").'
            yield error("partition-missing", site.place, message)


def shared_sets(overview: Overview) -> Iterator[ScriptFinding]:
    """Two routes select from one set: what is meant for one group reaches the other's destinations.

    The guide asks for it in step 3: the set ID must be unique for the destinations of different groups.
    """
    firsts: dict[tuple[str, int], Site] = {}
    reported: set[tuple[str, int, str]] = set()
    for site in overview.named(*SELECTING):
        number, partition = site.number(0), partition_of(overview, site)
        if number is None or partition is None or site.route.kind is not RouteKind.REQUEST:
            continue
        first = firsts.setdefault((partition, number), site)
        again = (partition, number, site.route.name)
        if first.route.name == site.route.name or again in reported:
            continue
        reported.add(again)
        other = f"route[{first.route.name}]" if first.route.name else "the main route"
        text = f"Set {number} is selected by {other} too. If these are two groups, their calls get mixed:"
        yield warning("set-shared", site.place, f"{text} give each a set of its own.", (first.place,))


_STATES = frozenset({"i", "p", "a", "0", "1", "2"})
_PROBING = frozenset({"p", "2"})
_THRESHOLD = ("ds_probing_threshold", "ds_probing_threshhold")


def without_state(overview: Overview) -> Iterator[ScriptFinding]:
    """ds_mark_dst() marks the destination inactive (w_ds_mark_dst in dispatcher.c)."""
    for site in overview.named("ds_mark_dst"):
        state = site.text(0)
        if state == "":
            text = "Without a state the destination becomes inactive, and only a person brings it back. Write"
            message = f'{text} ds_mark_dst("p") to have it probed, or ds_mark_dst("i") if you mean it.'
            yield warning("mark-without-state", site.place, message)
        elif is_swapped(site):
            text = "The state is the first argument, the partition the second: the proxy does not start."
            message = f'{text} Write ds_mark_dst("{site.text(1)}", "{site.text(0)}").'
            yield error("mark-swapped", site.place, message)
        elif state is not None and state.lower() not in _STATES:
            text = f'Unknown state "{state[:20]}": nothing is marked, and the destination gets more calls.'
            message = f'{text} Write "p" (probing), "i" (inactive) or "a" (active).'
            yield warning("mark-state-unknown", site.place, message)


def is_swapped(site: Site) -> bool:
    """Whether a call of ds_mark_dst names the partition before the state."""
    state, partition = site.text(0), site.text(1)
    if site.call.name != "ds_mark_dst" or not state or not partition:
        return False
    return state.lower() not in _STATES and partition.lower() in _STATES


def never_probed(overview: Overview) -> Iterator[ScriptFinding]:
    """A destination marked as probing comes back by a good probe only, and there are none unless
    ds_ping_interval is set: it is 0 by default (dispatcher.c)."""
    interval = overview.parameter("dispatcher", "ds_ping_interval")
    if (interval is None and not overview.is_whole) or (
        interval is not None and interval.value not in (0, "")
    ):
        return
    also = (interval.place,) if interval else ()
    for site in overview.named("ds_mark_dst"):
        if _is_probing(site):
            text = "The destination never comes back: ds_ping_interval is 0, so it is not probed. Write"
            message = f'{text} modparam("dispatcher", "ds_ping_interval", 10).'
            yield error("mark-never-probed", site.place, message, also)


def _is_probing(site: Site) -> bool:
    return (site.text(0) or "").lower() in _PROBING


def low_threshold(overview: Overview) -> Iterator[ScriptFinding]:
    """A threshold of 1: one failure takes a destination out. 3 is the default (dispatcher.c)."""
    threshold = overview.parameter("dispatcher", *_THRESHOLD)
    if threshold is None or threshold.value != 1:
        return
    text = "One failed call or lost probe takes a destination out, until a probe succeeds. Unset, it takes 3."
    yield hint("threshold-low", threshold.place, f"{text} Write 2 or 3, unless you mean it.")


_DIALPLAN_PARTITION = 4


def dialplan_missing(overview: Overview) -> Iterator[ScriptFinding]:
    """A dialplan without rules: nothing is translated, each time (dp_translate_f in dialplan.c)."""
    table = overview.value("dialplan", "table_name")
    if overview.tables.dialplans is None or table not in (None, "dialplan"):
        return
    for site in overview.named("dp_translate"):
        number = site.number(0)
        if number is None or site.text(_DIALPLAN_PARTITION) not in ("", "default"):
            continue
        if not overview.tables.dialplans.get(number):
            text = f"Dialplan {number} has no rules: nothing is translated, and dp_translate always fails."
            yield error("dialplan-missing", site.place, f"{text} Add it, or write another.")


CHECKS = (
    sets,
    algorithms,
    flags,
    partitions,
    shared_sets,
    without_state,
    never_probed,
    low_threshold,
    dialplan_missing,
)
