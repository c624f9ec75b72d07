"""Imports: an uploaded file, its columns matched with the table's, and its rows as drafts of a batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms

from efcp.editing.batch import difference, stored_rows
from efcp.editing.batches import CheckedChange, Draft, Report, checked
from efcp.editing.findings import Finding, Severity
from efcp.editing.models import Batch
from efcp.editing.reading import ENCODINGS, FileFormat, FileHead, TableFile, read_rows
from efcp.editing.table import Column, RowT, Table
from efcp.jobs.job_types import JobError
from efcp.jobs.uploads import upload_path

if TYPE_CHECKING:
    from efcp.editing.views import TableEditor

IGNORE = ""
ID = "id"
_YES = {"1", "true", "yes", "y", "on", "t"}
_NO = {"0", "false", "no", "n", "off", "f", ""}
REPORT_EVERY = 200

Foreign = Callable[[Mapping[str, Any]], tuple[dict[str, Any], list[Finding]]]
"""Makes a row of another program's table one of this table; what its columns mean here are findings."""


class ImportForm(forms.Form):
    """How the columns of a file are matched, and what is done with the rows that it lacks."""

    encoding = forms.ChoiceField(label="Encoding", choices=ENCODINGS, required=False)
    match = forms.ChoiceField(label="A row is the same as a stored one by its", initial="key")
    missing = forms.ChoiceField(label="Rows that the file lacks", initial="keep")
    accept_names = forms.BooleanField(
        label="Accept names that don't resolve here (split DNS)", required=False
    )
    reason = forms.CharField(
        label="Reason", max_length=255, required=False, help_text="Stored in the change log."
    )

    def __init__(
        self, table: Table[Any], head: FileHead, file: TableFile, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data)
        self.table = table
        self.head = head
        identity = " and ".join(column.name for column in table.columns if column.identity)
        choices = [("key", identity), ("id", "id, as in an export of this panel")]
        self.fields["match"].choices = choices  # type: ignore[attr-defined]
        self.fields["missing"].choices = [  # type: ignore[attr-defined]
            ("keep", "Keep"),
            ("group", f"Delete in each {table.group_noun} that the file has"),
            ("all", "Delete in the whole table"),
        ]
        has_encoding = file.format is not FileFormat.XLSX
        if has_encoding:
            self.fields["encoding"].initial = file.encoding or "cp1252"
        else:
            del self.fields["encoding"]
        if table.name not in _WITH_NAMES:
            del self.fields["accept_names"]
        targets = [
            (IGNORE, "Ignore"),
            (ID, "id"),
            *((each.name, _target_label(each)) for each in table.columns),
        ]
        guessed = guess_columns(table, head.columns)
        for index, name in enumerate(head.columns):
            field = forms.ChoiceField(label=name or f"Column {index + 1}", choices=targets, required=False)
            field.initial = guessed[index]
            field.widget.attrs["aria-label"] = f"Column for {name}"
            self.fields[f"column_{index}"] = field
        if ID in guessed and file.format not in (FileFormat.SQL, FileFormat.LIST):
            self.fields["match"].initial = "id"

    @property
    def columns(self) -> list[tuple[forms.BoundField, list[Any]]]:
        """The field of each column of the file, with its first cells."""
        return [
            (
                self[f"column_{index}"],
                [cells[index] for _line, cells in self.head.rows[:3] if index < len(cells)],
            )
            for index in range(len(self.head.columns))
        ]

    def clean(self) -> dict[str, Any]:
        """Require each column once, and those that identify a row."""
        data: dict[str, Any] = self.cleaned_data
        chosen = [each for each in self.mapping() if each != IGNORE]
        twice = sorted({each for each in chosen if chosen.count(each) > 1})
        if twice:
            self.add_error(None, f"Two columns of the file are matched with {twice[0]}.")
        lacking = [each.name for each in self.table.columns if each.identity and each.name not in chosen]
        by_id = data.get("match") == "id"
        if lacking and not (by_id and ID in chosen):
            self.add_error(None, f"Match a column of the file with {lacking[0]}.")
        if by_id and ID not in chosen:
            self.add_error("match", "No column of the file is matched with id.")
        return data

    def mapping(self) -> list[str]:
        """The column of the table for each column of the file, IGNORE for none."""
        return [self.cleaned_data.get(f"column_{index}", "") for index in range(len(self.head.columns))]

    def arguments(self) -> dict[str, Any]:
        """What the batch's arguments take of the form."""
        data = self.cleaned_data
        return {
            "mapping": self.mapping(),
            "match": data["match"],
            "missing": data["missing"],
            "accept_names": bool(data.get("accept_names")),
        }


_WITH_NAMES = {"dispatcher"}


def _target_label(column: Column) -> str:
    return f"{column.name} ({column.field.label})"


def guess_columns(table: Table[Any], names: Sequence[str]) -> list[str]:
    """The column of the table that each name of a file most likely means, IGNORE for none; none twice."""
    known = {ID: ID}
    for column in table.columns:
        for name in (column.name, str(column.field.label)):
            known.setdefault(_plain(name), column.name)
    found: list[str] = []
    for name in names:
        guess = known.get(_plain(name), IGNORE)
        found.append(guess if guess not in found else IGNORE)
    return found


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


@dataclass(frozen=True, slots=True)
class _Given:
    """One line of the file: the values of the matched columns, and its id, if it has one."""

    line: int
    values: dict[str, Any]
    row_id: int | None
    findings: tuple[Finding, ...]


def file_of(batch: Batch) -> TableFile:
    """The uploaded file of an import. Raises JobError where it is gone."""
    given = batch.arguments
    path = upload_path(given["token"])
    if not path.is_file():
        raise JobError("The uploaded file was deleted: upload it again.")
    return TableFile(path, FileFormat(given["format"]), given["encoding"], given["delimiter"], batch.table)


def rows_of_import(editor: "TableEditor[RowT]", batch: Batch, report: Report) -> list[CheckedChange[RowT]]:
    """The rows of the file compared with the table, and checked."""
    drafts = drafts_of_import(editor, batch, report)
    extra = {"unknown_name_is_meant": True} if batch.arguments.get("accept_names") else {}
    return checked(editor, drafts, report, extra)


def drafts_of_import(editor: "TableEditor[RowT]", batch: Batch, report: Report) -> list[Draft[RowT]]:
    """The rows of the file, each with the stored row that it is, in their order; then rows to delete."""
    table, arguments = editor.table, batch.arguments
    defaults = {each.name: _default(each) for each in table.columns}
    given: list[_Given] = []
    for each in _given_rows(editor, file_of(batch), arguments["mapping"]):
        given.append(each)
        if len(given) % REPORT_EVERY == 0:
            report(0, f"Reading rows: {len(given):,}")
    batch.arguments["rows"] = len(given)
    typed = [each for each in given if not any(f.severity is Severity.ERROR for f in each.findings)]
    desired = [table.row(**(defaults | each.values), id=each.row_id) for each in typed]
    stored = list(stored_rows(table))
    by_id, missing = arguments["match"] == "id", arguments["missing"]
    pairs = difference(table, stored, desired, by_id=by_id, delete_missing=missing != "keep")
    before = {id(each): pair.before for each, pair in zip(typed, pairs, strict=False)}
    drafts = [_draft(table, each, before.get(id(each)), defaults) for each in given]
    groups = {getattr(row, table.key) for row in desired}
    for pair in pairs[len(typed) :]:
        if pair.before is not None and (missing == "all" or getattr(pair.before, table.key) in groups):
            drafts.append(Draft(pair.before, None))
    return drafts


def _given_rows(editor: "TableEditor[Any]", file: TableFile, mapping: Sequence[str]) -> Iterator[_Given]:
    rows = read_rows(file)
    header = [str(cell) for cell in next(rows, (0, []))[1]]
    foreign = editor.foreign(header)
    convert = _Converter(editor.table)
    lines: dict[int, int] = {}
    for line, cells in rows:
        findings: list[Finding] = []
        if foreign is None:
            named = {name: cell for name, cell in zip(mapping, cells, strict=False) if name != IGNORE}
        else:
            named, findings = foreign(dict(zip(map(str.lower, header), cells, strict=False)))
        if foreign is None and len(cells) > len(header):
            text = f"{len(cells)} cells, but the header names {len(header)} columns."
            findings.append(Finding("", Severity.ERROR, text, "cells"))
        row_id = convert.row_id(named.pop(ID, None), findings)
        if row_id is not None and lines.setdefault(row_id, line) != line:
            text = f"Line {lines[row_id]} has the same id."
            findings.append(Finding("", Severity.ERROR, text, "twice"))
        yield _Given(line, convert.values(named, findings), row_id, tuple(findings))


class _Converter:
    """Makes typed values of cells, by column."""

    def __init__(self, table: Table[Any]) -> None:
        self._columns = {column.name: column for column in table.columns}
        self._choices = {column.name: _choices(column.field) for column in table.columns}

    @staticmethod
    def row_id(cell: Any, findings: list[Finding]) -> int | None:
        """The id in a cell; empty is none."""
        text = str(cell or "").strip()
        if text and not (text.isascii() and text.isdigit()):
            findings.append(Finding("", Severity.ERROR, f"The id is no number: {text[:20]}.", "id"))
            return None
        return int(text) if text else None

    def values(self, named: Mapping[str, Any], findings: list[Finding]) -> dict[str, Any]:
        """The values by column; an empty cell of a number is left out."""
        found: dict[str, Any] = {}
        for name, cell in named.items():
            column = self._columns[name]
            if column.width is not None:
                found[name] = "" if cell is None else str(cell)
                continue
            text = str(cell if cell is not None else "").strip()
            value = self._number(column, text)
            if value is None and text:
                found[name] = text
                message = "Expected yes or no." if column.is_flag else "Enter a whole number."
                findings.append(Finding(name, Severity.ERROR, message, "type"))
            elif value is not None:
                found[name] = value
        return found

    def _number(self, column: Column, text: str) -> int | bool | None:
        """The number or flag of a cell; None for no such thing, and for an empty one."""
        digits = text.removeprefix("-")
        number = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 12 else None
        if not column.is_flag:
            choice = self._choices[column.name].get(text.lower())
            return number if number is not None else choice
        if number is not None:
            return bool(number & 1)
        lower = text.lower()
        return True if lower in _YES else False if lower in _NO - {""} else None


def _choices(field: forms.Field) -> dict[str, int]:
    """The numbers of a choice by their labels in small letters."""
    choices: Any = field.choices if isinstance(field, forms.ChoiceField) else ()
    return {str(label).lower(): int(value) for value, label in choices}


def _default(column: Column) -> Any:
    initial = column.field.initial
    if column.width is not None:
        return initial or ""
    return False if column.is_flag else (initial if initial is not None else 0)


def _draft(
    table: Table[RowT], given: _Given, before: RowT | None, defaults: Mapping[str, Any]
) -> Draft[RowT]:
    """The draft of a line: absent columns stay, or have their defaults in a new row."""
    findings = list(given.findings)
    stored = {} if before is None else table.form_values(before)
    values = dict(defaults) | stored | given.values
    for column in table.columns:
        name = column.name
        if column.width is None or name not in given.values:
            continue
        if column.mask is not None:
            values[name] = _with_secret(column, values[name], stored.get(name), findings)
        if before is not None and column.to_store(values[name], stored[name]) == stored[name]:
            values[name] = stored[name]
    return Draft(before, values, tuple(findings), given.line)


def _with_secret(column: Column, value: str, former: str | None, findings: list[Finding]) -> str:
    """The stored secret, where a masked one comes back from an export."""
    if column.mask is None or column.mask(value) != value or "•" not in value:
        return value
    if former is not None and column.mask(former) == value:
        return former
    findings.append(Finding(column.name, Severity.ERROR, "The password in it is masked: enter it.", "masked"))
    return value
