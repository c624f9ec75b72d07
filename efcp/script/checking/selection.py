"""ds_select_dst and its like: sets, algorithms, flags and partitions."""

import re
from collections.abc import Iterator

from efcp.script.checking.marking import is_swapped
from efcp.script.checking.overview import Overview, Site
from efcp.script.findings import Finding, Severity
from efcp.script.language.syntax import ArgumentKind

SELECTING = ("ds_select_dst", "ds_select_domain")
DEFAULT_PARTITION = "default"

_LAST_ALGORITHM = 10
_FLAGS = frozenset("fuda ")
_PARAMETERS = {
    7: ("hash_pvar", '"$fU"', "every call here finds no destination"),
    9: ("pvar_algo_pattern", '"$stat(load_%u)"', "the first destination gets all calls"),
    10: ("algo_route", '"score"', "every call here finds no destination"),
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


def sets(overview: Overview) -> Iterator[Finding]:
    """A set that can not be selected as the table stands: every call that comes here is refused."""
    for site in overview.named(*SELECTING):
        number = site.number(0)
        if number is not None and number < 0:
            text = f"Set {number} can never be selected: a set ID is 0 or more."
            yield Finding(Severity.ERROR, "set-negative", site.place, text)
        elif number is not None and in_panels_table(overview, site):
            yield from _as_the_table_stands(overview, site, number)


def _as_the_table_stands(overview: Overview, site: Site, number: int) -> Iterator[Finding]:
    if overview.tables.sets is None:
        return
    facts = overview.tables.sets.get(number)
    if facts is None:
        text = f"The dispatcher table has no set {number}: every call here finds no destination."
        yield Finding(Severity.ERROR, "set-missing", site.place, f"{text} Add it, or write another set.")
    elif not facts.rows:
        text = f"Set {number} has no destinations: every call here finds none. Add one in the panel."
        yield Finding(Severity.ERROR, "set-empty", site.place, text)
    elif not facts.selectable:
        text = f"All destinations of set {number} are inactive: every call here finds none. Activate one."
        yield Finding(Severity.WARNING, "set-inactive", site.place, text)


def algorithms(overview: Overview) -> Iterator[Finding]:
    """There are 0 to 10; any other takes the first destination each time (dispatch.c)."""
    for site in overview.named(*SELECTING):
        number = site.number(1)
        if number is None:
            continue
        if not 0 <= number <= _LAST_ALGORITHM:
            text = f"There is no algorithm {number}: the first destination gets all calls. Write 0 to 10;"
            yield Finding(Severity.WARNING, "algorithm-unknown", site.place, f"{text} 4 takes them in turn.")
        elif number in _PARAMETERS and overview.is_whole:
            yield from _without_parameter(overview, site, number)


def _without_parameter(overview: Overview, site: Site, algorithm: int) -> Iterator[Finding]:
    name, example, effect = _PARAMETERS[algorithm]
    if overview.value("dispatcher", name):
        return
    severity = Severity.WARNING if algorithm == 9 else Severity.ERROR
    text = f"Algorithm {algorithm} needs {name}: without it {effect}."
    said = f'{text} Write modparam("dispatcher", "{name}", {example}).'
    yield Finding(severity, "algorithm-without-parameter", site.place, said)


def flags(overview: Overview) -> Iterator[Finding]:
    """The flags are f, u, d and a, of either case: others stop the start (fixup_ds_flags in ds_fixups.c)."""
    for site in overview.named(*SELECTING):
        if len(site.call.arguments) > 2 and site.call.arguments[2].kind is ArgumentKind.NUMBER:
            text = 'The flags are letters in quotes, as "f": the proxy does not start.'
            yield Finding(Severity.ERROR, "flag-unknown", site.place, text)
            continue
        wrong = sorted(set((site.text(2) or "").lower()) - _FLAGS)
        if old := _OLD_FLAGS.fullmatch(site.text(2) or ""):
            text = (
                f"{old[0]} is of versions before 3.0: the proxy does not start. Give the most results as the"
            )
            said = f'{text} fifth argument: {site.call.name}(…, "{old["flags"].lower()}", , {old["most"]}).'
            yield Finding(Severity.ERROR, "flag-unknown", site.place, said)
        elif wrong:
            text = (
                f"There is no flag {', '.join(wrong)[:60]}: the proxy does not start. There are f, u, d, a."
            )
            yield Finding(Severity.ERROR, "flag-unknown", site.place, text)


def partitions(overview: Overview) -> Iterator[Finding]:
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
            said = f'{text} modparam("dispatcher", "partition", "{name[:60]}: db_url=…").'
            yield Finding(Severity.ERROR, "partition-missing", site.place, said)


CHECKS = (sets, algorithms, flags, partitions)
