"""dp_translate: dialplans that the table has."""

from collections.abc import Iterator

from efcp.script.checking.overview import Overview
from efcp.script.findings import Finding, Severity

_PARTITION = 4


def missing(overview: Overview) -> Iterator[Finding]:
    """A dialplan without rules: nothing is translated, each time (dp_translate_f in dialplan.c)."""
    table = overview.value("dialplan", "table_name")
    if overview.tables.dialplans is None or table not in (None, "dialplan"):
        return
    for site in overview.named("dp_translate"):
        number = site.number(0)
        if number is None or site.text(_PARTITION) not in ("", "default"):
            continue
        if not overview.tables.dialplans.get(number):
            text = f"Dialplan {number} has no rules: nothing is translated, and dp_translate always fails."
            yield Finding(Severity.ERROR, "dialplan-missing", site.place, f"{text} Add it, or write another.")


CHECKS = (missing,)
