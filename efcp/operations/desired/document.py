"""The desired state as values: what a YAML document names, with a finding for everything it must not hold.

A section of the document (`sets`, `dialplans`, `maintenance`, `proxies`) that is there is complete: what it
does not list is to go. A section that is not there is left alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from django.utils.dateparse import parse_datetime

from dialplan.models import MatchOperator
from dialplan.table import DIALPLAN_NAMES, RULES
from dispatcher.models import InitialState, ProbeMode
from dispatcher.table import DESTINATIONS, SET_NAMES
from efcp.editing.findings import Finding, Severity
from efcp.editing.names import GroupNames
from efcp.editing.table import MAX_INT, Column, Table
from efcp.operations.desired.yaml_text import (
    YamlError,
    YamlMapping,
    YamlNode,
    YamlScalar,
    YamlSequence,
    read,
)

VERSION = 1
MOST_FINDINGS = 100
MAINTENANCE, PROXIES = "maintenance", "proxies"


@dataclass(frozen=True, slots=True)
class TableSection:
    """A section with the rows of one table, by group: `key` names it, `rows` the rows within a group.

    `words` are the numbers of a column that have names. With `has_cases` a group has test cases.
    """

    key: str
    rows: str
    table: Table[Any]
    names: GroupNames
    words: Mapping[str, type[Enum]]
    has_cases: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a row beside its group's number."""
        return tuple(each for each in self.table.columns if each.name != self.table.key)

    def word(self, column: str, value: Any) -> Any:
        """The name of a number, where it has one."""
        names = {each.value: each.name.lower() for each in self.words.get(column, ())}
        return names.get(value, value)


TABLES = (
    TableSection(
        "sets", "destinations", DESTINATIONS, SET_NAMES, {"state": InitialState, "probe_mode": ProbeMode}
    ),
    TableSection("dialplans", "rules", RULES, DIALPLAN_NAMES, {"match_op": MatchOperator}, has_cases=True),
)
SECTIONS = (*(each.key for each in TABLES), MAINTENANCE, PROXIES)


def default_of(column: Column) -> Any:
    """What a column of a new row gets where a document does not name it."""
    initial = column.field.initial
    if initial is not None:
        return initial
    return False if column.is_flag else "" if column.width is not None else 0


@dataclass(frozen=True, slots=True)
class DesiredRow:
    """The columns that a row names, and its line."""

    values: dict[str, Any]
    line: int


@dataclass(frozen=True, slots=True)
class DesiredGroup:
    """A set or a dialplan: its name, its rows, and what must come of each input."""

    name: str = ""
    rows: tuple[DesiredRow, ...] = ()
    cases: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DesiredMaintenance:
    """A destination that is to be out of service for a time; `proxies` None: all that are enabled."""

    setid: int
    uri: str
    begins_at: datetime
    ends_at: datetime
    proxies: tuple[str, ...] | None
    reason: str
    allow_empty_set: bool
    line: int


@dataclass(frozen=True, slots=True)
class DesiredProxy:
    """A proxy without its password."""

    values: dict[str, Any]
    line: int


@dataclass(slots=True)
class DesiredState:
    """What a document names; a section is None, or absent from `groups`, where the document lacks it."""

    groups: dict[str, dict[int, DesiredGroup]] = field(default_factory=dict)
    maintenance: list[DesiredMaintenance] | None = None
    proxies: list[DesiredProxy] | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def sections(self) -> set[str]:
        """The sections that the document has."""
        found = set(self.groups)
        found |= {MAINTENANCE} if self.maintenance is not None else set()
        return found | ({PROXIES} if self.proxies is not None else set())


def placed(place: str, line: int, text: str, code: str, severity: Severity = Severity.ERROR) -> Finding:
    """A finding at a place of the document."""
    return Finding(place, severity, f"line {line}: {text}", code)


def parse(text: str) -> DesiredState:
    """What a document names, with the findings about it."""
    state = DesiredState()
    try:
        root = read(text)
    except YamlError as error:
        state.findings.append(Finding("document", Severity.ERROR, str(error), "yaml"))
        return state
    _Reader(state).document(root)
    del state.findings[MOST_FINDINGS:]
    return state


class WrongValueError(Exception):
    """A value is not of the type that belongs there."""


class _Reader:
    """Reads nodes into the state; what is wrong becomes a finding, and is left out."""

    def __init__(self, state: DesiredState) -> None:
        self._state = state

    def document(self, root: YamlNode) -> None:
        """Read the whole document."""
        items = self._known(root, "document", ("version", *SECTIONS))
        version = items.pop("version", None)
        if not isinstance(version, YamlScalar) or version.text != str(VERSION):
            self._refuse("version", root.line, f"must be {VERSION}.", "version")
        for section in TABLES:
            if section.key in items:
                self._state.groups[section.key] = self._groups(items[section.key], section)
        if MAINTENANCE in items:
            self._state.maintenance = [
                each
                for place, item in self._listed(items[MAINTENANCE], MAINTENANCE)
                if (each := self._maintenance(item, place)) is not None
            ]
        if PROXIES in items:
            self._state.proxies = [
                DesiredProxy(self._values(item, place, _PROXY, ("name", "mi_url")), item.line)
                for place, item in self._listed(items[PROXIES], PROXIES)
            ]

    def _groups(self, node: YamlNode, section: TableSection) -> dict[int, DesiredGroup]:
        found = {}
        for name, inner in self._mapping(node, section.key).items():
            place = f"{section.key}.{name[:20]}"
            number = int(name) if name.isascii() and name.isdigit() and len(name) < 11 else MAX_INT + 1
            if number > MAX_INT or number in found:
                self._refuse(place, inner.line, f"is no number of a {section.names.noun}.", "number")
                continue
            found[number] = self._group(inner, place, section)
        return found

    def _group(self, node: YamlNode, place: str, section: TableSection) -> DesiredGroup:
        known = ("name", section.rows, *(("cases",) if section.has_cases else ()))
        items = self._known(node, place, known)
        types: dict[str, Any] = {each.name: _reader_of(each, section) for each in section.columns}
        needed = tuple(each.name for each in section.columns if each.name == section.table.title)
        rows = tuple(
            DesiredRow(self._values(item, where, types, needed), item.line)
            for where, item in self._listed(items.get(section.rows), f"{place}.{section.rows}")
        )
        name = self._values(YamlMapping({"name": items["name"]}), place, _NAME, ()) if "name" in items else {}
        cases: dict[str, str | None] = {}
        for where, item in self._listed(items.get("cases"), f"{place}.cases"):
            values = self._values(item, where, _CASE, ("input", "expected"))
            if values.get("input") in cases:
                self._refuse(where, item.line, "this input has a case already.", "twice")
            elif {"input", "expected"} <= values.keys():
                cases[values["input"]] = values["expected"]
        return DesiredGroup(name.get("name", ""), rows, cases)

    def _maintenance(self, node: YamlNode, place: str) -> DesiredMaintenance | None:
        needed = ("set", "destination", "begins_at", "ends_at", "reason")
        values = self._values(node, place, _MAINTENANCE, needed)
        if not values.keys() >= set(needed):
            return None
        proxies = values.get("proxies")
        return DesiredMaintenance(
            values["set"],
            values["destination"],
            values["begins_at"],
            values["ends_at"],
            None if proxies is None else tuple(sorted(set(proxies))),
            values["reason"],
            values.get("allow_empty_set", False),
            node.line,
        )

    def _values(
        self, node: YamlNode, place: str, types: Mapping[str, Any], needed: tuple[str, ...]
    ) -> dict[str, Any]:
        items = self._known(node, place, tuple(types))
        found = {}
        for name, inner in items.items():
            try:
                found[name] = types[name](inner)
            except WrongValueError as error:
                self._refuse(f"{place}.{name}", inner.line, str(error), "type")
        for name in needed:
            if name not in items:
                self._refuse(f"{place}.{name}", node.line, "is missing.", "missing")
        return found

    def _known(self, node: YamlNode, place: str, names: tuple[str, ...]) -> dict[str, YamlNode]:
        items = self._mapping(node, place)
        for name in items.keys() - set(names):
            text = f"is unknown; known are {', '.join(names)}."
            self._refuse(f"{place}.{name[:50]}", items[name].line, text, "unknown")
        return {name: inner for name, inner in items.items() if name in names}

    def _mapping(self, node: YamlNode, place: str) -> dict[str, YamlNode]:
        if isinstance(node, YamlMapping):
            return node.items
        if not (isinstance(node, YamlScalar) and node.is_null):
            self._refuse(place, node.line, "must be a mapping of names to values.", "type")
        return {}

    def _listed(self, node: YamlNode | None, place: str) -> Iterator[tuple[str, YamlNode]]:
        if node is None or (isinstance(node, YamlScalar) and node.is_null):
            return
        if not isinstance(node, YamlSequence):
            self._refuse(place, node.line, "must be a list.", "type")
            return
        for number, item in enumerate(node.items):
            yield f"{place}[{number}]", item

    def _refuse(self, place: str, line: int, text: str, code: str) -> None:
        if len(self._state.findings) < MOST_FINDINGS:
            self._state.findings.append(placed(place, line, text, code))


def _text(node: YamlNode) -> str:
    if not isinstance(node, YamlScalar):
        raise WrongValueError("must be a text.")
    return "" if node.is_null else node.text


def _text_or_null(node: YamlNode) -> str | None:
    return None if isinstance(node, YamlScalar) and node.is_null else _text(node)


def _flag(node: YamlNode) -> bool:
    if not isinstance(node, YamlScalar) or not node.is_plain or node.text not in {"true", "false"}:
        raise WrongValueError("must be true or false.")
    return node.text == "true"


def _number(node: YamlNode) -> int:
    text = node.text if isinstance(node, YamlScalar) and node.is_plain else ""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 11):
        raise WrongValueError("must be a whole number.")
    return int(text)


def _moment(node: YamlNode) -> datetime:
    text = node.text if isinstance(node, YamlScalar) else ""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise WrongValueError("must be a time with its zone, such as 2030-01-31T22:00:00Z.")
    return found


def _texts(node: YamlNode) -> list[str]:
    if not isinstance(node, YamlSequence):
        raise WrongValueError("must be a list of texts.")
    return [_text(each) for each in node.items]


def _reader_of(column: Column, section: TableSection) -> Any:
    words = {each.name.lower(): each.value for each in section.words.get(column.name, ())}

    def number(node: YamlNode) -> int:
        if isinstance(node, YamlScalar) and node.text in words:
            return int(words[node.text])
        try:
            return _number(node)
        except WrongValueError:
            named = f"{', '.join(words)} or " if words else ""
            raise WrongValueError(f"must be {named}a whole number.") from None

    if column.width is not None:
        return _text
    return _flag if column.is_flag else number


_NAME = {"name": _text}
_CASE: dict[str, Any] = {"input": _text, "expected": _text_or_null}
_MAINTENANCE: dict[str, Any] = {
    "set": _number,
    "destination": _text,
    "begins_at": _moment,
    "ends_at": _moment,
    "proxies": _texts,
    "reason": _text,
    "allow_empty_set": _flag,
}
_PROXY: dict[str, Any] = {
    "name": _text,
    "mi_url": _text,
    "mi_username": _text,
    "mi_authority": _text,
    "partition": _text,
    "cluster": _text,
    "probing": _text,
    "enabled": _flag,
}
