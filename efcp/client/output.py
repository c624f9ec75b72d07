"""Output of `efcpctl`: tables for people, JSON for programs; no text of others moves a terminal's cursor."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

WIDEST = 60
_SIGNS = {"new": "+", "changed": "~", "gone": "-"}
COLUMNS: Mapping[str, Sequence[str]] = {
    "destinations": ("id", "setid", "destination", "state", "weight", "priority", "attrs", "description"),
    "rules": ("id", "dpid", "pr", "match_op", "match_exp", "subst_exp", "repl_exp", "attrs", "disabled"),
    "sets": ("id", "name", "rows"),
    "dialplans": ("id", "name", "rows"),
    "cases": ("id", "dpid", "input", "expected", "passes"),
    "proxies": ("id", "name", "mi_url", "enabled", "freshness", "version", "destination_count"),
    "states": ("proxy", "setid", "uri", "state", "since", "fresh"),
    "state-changes": ("at", "proxy", "setid", "uri", "before", "after", "cause"),
    "state-runs": ("id", "started_at", "state", "actor", "reason", "undoes"),
    "reloads": ("id", "started_at", "module", "actor", "first", "reason"),
    "maintenance": ("id", "setid", "uri", "begins_at", "ends_at", "actor", "reason"),
    "audit": ("id", "at", "actor", "token", "action", "kind", "label", "reason"),
    "jobs": ("id", "kind", "title", "actor", "requested_at", "outcome"),
    "notification-rules": ("id", "name", "enabled", "channel", "after_s"),
    "applied-plans": ("id", "started_at", "plan_id", "actor", "change_count", "state", "message"),
    "tokens": ("id", "name", "owner", "role", "state", "expires_at", "last_used_at"),
    "webhooks": ("id", "name", "enabled", "kinds", "url"),
    "users": ("id", "username", "role", "is_active", "last_login"),
}


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows in columns under their names; long texts are cut."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not cells:
        click.echo("Nothing found.")
        return
    header = [column.upper() for column in columns]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for line in (header, *cells):
        texts = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(texts).rstrip())


def plan_lines(plan: Mapping[str, Any]) -> list[str]:
    """A plan for people."""
    lines = [f"warning: {each['field']}: {each['text']}" for each in plan["warnings"]]
    lines += _change_lines(plan["changes"])
    if not plan["change_count"]:
        return [*lines, "No changes: the panel is as the file has it."]
    counts = [sum(each["kind"] == kind for each in plan["changes"]) for kind in _SIGNS]
    return [
        *lines,
        f"Plan {plan['plan_id']}: {counts[0]} to add, {counts[1]} to change, {counts[2]} to delete.",
    ]


def applied_lines(run: Mapping[str, Any]) -> list[str]:
    """A plan that was carried out, for people."""
    message = f" {run['message']}" if run["message"] else ""
    return [*_change_lines(run["changes"]), f"{run['change_count']} changes: {run['state']}.{message}"]


def _change_lines(changes: Iterable[Mapping[str, Any]]) -> list[str]:
    lines = []
    for each in changes:
        lines.append(f"{_SIGNS.get(each['kind'], '?')} {each['label']}")
        if each["kind"] == "changed":
            columns = each["columns"].items()
            lines += [f"    {name}: {one['before']} -> {one['after']}" for name, one in columns]
    return lines


def harmless(text: str) -> str:
    """A text without control characters, which could rewrite the terminal."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case dict() | list():
            text = json.dumps(value, ensure_ascii=False)
        case _:
            text = str(value)
    text = harmless(text)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
