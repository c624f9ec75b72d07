"""What `manage.py export`, `plan` and `apply` have in common: files, scopes, and a plan as text."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from efcp.editing.batch import ChangeKind
from efcp.operations.desired.document import parse
from efcp.operations.desired.plan import DesiredPlan, PlanLine, ScopeError, read_scope
from efcp.operations.desired.planning import plan_for
from efcp.operations.desired.yaml_text import MOST_CHARACTERS, scalar

REFUSED, CHANGES, NOT_CLEAN = 1, 2, 3
_SIGNS = {ChangeKind.NEW: "+", ChangeKind.CHANGED: "~", ChangeKind.GONE: "-"}


def add_plan_arguments(parser: ArgumentParser) -> None:
    """The file, and the limit to some sections."""
    parser.add_argument("file", help="a YAML file as `export` writes it; - for standard input")
    parser.add_argument(
        "--only", action="append", default=[], metavar="SECTION[=1,2]", help="such as sets=1,2; repeat it"
    )


def plan_of(options: dict[str, Any]) -> DesiredPlan:
    """The plan of a file. Raises CommandError."""
    try:
        scope = read_scope(options["only"])
        if options["file"] == "-":
            text = sys.stdin.read(MOST_CHARACTERS + 1)
        else:
            with Path(options["file"]).open(encoding="utf-8") as file:
                text = file.read(MOST_CHARACTERS + 1)
    except ScopeError as error:
        raise CommandError(str(error), returncode=REFUSED) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{options['file']} can't be read: {error}", returncode=REFUSED) from None
    return plan_for(parse(text), scope)


def plan_text(plan: DesiredPlan) -> Iterator[str]:
    """A plan in lines for people."""
    for finding in plan.findings:
        yield f"{finding.severity.value}: {finding.field}: {finding.text}"
    if plan.errors:
        yield "Refused; nothing can be written."
        return
    lines = plan.lines
    for line in lines:
        yield from line_text(line)
    counts = [sum(each.kind is kind for each in lines) for kind in _SIGNS]
    if not lines:
        yield "No changes: the panel is as the file has it."
        return
    yield f"Plan {plan.id}: {counts[0]} to add, {counts[1]} to change, {counts[2]} to delete."


def line_text(line: PlanLine) -> Iterator[str]:
    """One change, with its columns where it changes them."""
    yield f"{_SIGNS[line.kind]} {line.label}"
    for name, (before, after) in line.columns.items() if line.kind is ChangeKind.CHANGED else ():
        yield f"    {name}: {scalar(before)} -> {scalar(after)}"
