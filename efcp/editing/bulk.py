"""Edits of several rows at once: what is done to each column, and the form that asks for it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django import forms

from efcp.editing.table import MAX_INT, Column, RowT, Table


class Action(StrEnum):
    """What is done with the chosen rows."""

    EDIT = "edit"
    CLONE = "clone"
    DELETE = "delete"


class How(StrEnum):
    """What is done to a column."""

    SET = "set"
    APPEND = "append"
    REPLACE = "replace"
    STEP = "step"


_LABELS = {
    How.SET: "Set to",
    How.APPEND: "Add at the end",
    How.REPLACE: "Replace text",
    How.STEP: "Number by steps",
}
_WORDS = {
    How.SET: "{column} set to {value}",
    How.APPEND: "{value} added to {column}",
    How.REPLACE: "{value} replaced by {other} in {column}",
    How.STEP: "{column} numbered from {value} by {other}",
}


@dataclass(frozen=True, slots=True)
class ColumnEdit:
    """What is done to one column: `value` is set, added at the end, or replaced by `other`.

    A number by steps is `value` for the first row of a group, and `other` more for each next one.
    """

    column: str
    how: How
    value: Any
    other: Any = None

    def apply(self, former: Any, place: int) -> Any:
        """The outcome for a value; `place` is the row's place among the chosen ones of its group, from 0."""
        match self.how:
            case How.SET:
                return self.value
            case How.APPEND:
                return f"{former or ''}{self.value}"
            case How.REPLACE:
                return (former or "").replace(self.value, self.other or "")
        return self.value + place * (self.other or 0)


def words_of(edit: ColumnEdit, column: Column) -> str:
    """What an edit does to its column, for people."""
    other = edit.other if edit.other not in ("", None) else "nothing"
    values = {"column": column.field.label, "value": column.shown(edit.value) or "nothing", "other": other}
    return _WORDS[edit.how].format(**values)


def edited_values(
    table: Table[RowT], rows: Iterable[RowT], edits: Sequence[ColumnEdit]
) -> Iterator[tuple[RowT, dict[str, Any]]]:
    """Each row with its columns after the edits, as a form takes them; `rows` are in the table's order."""
    places: dict[Any, int] = {}
    for row in rows:
        group = getattr(row, table.key)
        place = places[group] = places.get(group, -1) + 1
        values = table.form_values(row)
        for edit in edits:
            values[edit.column] = edit.apply(values[edit.column], place)
        yield row, values


def how_of(column: Column) -> tuple[How, ...]:
    """What can be done to a column."""
    if column.width is not None:
        return (How.SET, How.APPEND, How.REPLACE)
    if isinstance(column.field, forms.IntegerField) and not column.identity:
        return (How.SET, How.STEP)
    return (How.SET,)


@dataclass(frozen=True, slots=True)
class ColumnFields:
    """The fields of the form about one column."""

    column: Column
    how: forms.BoundField
    value: forms.BoundField
    other: forms.BoundField | None

    @property
    def other_label(self) -> str:
        """What the third field is."""
        return "Replaced by" if self.column.width is not None else "Step"


class BulkEditForm(forms.Form):
    """What is done with the chosen rows: an action, and for each column what is done to it."""

    action = forms.ChoiceField(initial=Action.EDIT.value)
    reason = forms.CharField(
        label="Reason", max_length=255, required=False, help_text="Stored in the change log."
    )

    def __init__(self, table: Table[Any], data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.table = table
        noun = f"{table.noun}s"
        self.fields["action"] = forms.ChoiceField(
            label="Action",
            initial=Action.EDIT.value,
            widget=forms.RadioSelect,
            choices=[
                (Action.EDIT.value, f"Edit these {noun}"),
                (Action.CLONE.value, f"Add copies, with these changes (another {table.group_noun})"),
                (Action.DELETE.value, f"Delete these {noun}"),
            ],
        )
        for column in table.columns:
            self._add_fields(column)
        for name, field in self.fields.items():
            if name.startswith(("how_", "value_", "other_")):
                field.widget.attrs["aria-label"] = field.label

    def _add_fields(self, column: Column) -> None:
        name, label = column.name, column.field.label
        choices = [("", "Keep"), *((each.value, _LABELS[each]) for each in how_of(column))]
        self.fields[f"how_{name}"] = forms.ChoiceField(
            label=f"{label}: change", choices=choices, required=False
        )
        if column.is_flag:
            value: forms.Field = forms.TypedChoiceField(
                choices=[("1", "Yes"), ("0", "No")], coerce=lambda text: text == "1"
            )
        else:
            value = deepcopy(column.field)
        value.required, value.label, value.help_text = False, f"{label}: value", ""
        self.fields[f"value_{name}"] = value
        if How.REPLACE in how_of(column):
            self.fields[f"other_{name}"] = forms.CharField(
                label=f"{label}: replace by", required=False, strip=False, max_length=column.width
            )
        elif How.STEP in how_of(column):
            self.fields[f"other_{name}"] = forms.IntegerField(
                label=f"{label}: step", required=False, initial=10, min_value=-MAX_INT, max_value=MAX_INT
            )

    @property
    def columns(self) -> list[ColumnFields]:
        """The fields by column, for the page."""
        return [
            ColumnFields(
                column,
                self[f"how_{column.name}"],
                self[f"value_{column.name}"],
                self[f"other_{column.name}"] if f"other_{column.name}" in self.fields else None,
            )
            for column in self.table.columns
        ]

    def clean(self) -> dict[str, Any]:
        """Require a change, and a value wherever one is needed."""
        data: dict[str, Any] = self.cleaned_data
        if data.get("action") == Action.DELETE:
            return data
        for column in self.table.columns:
            how, value = data.get(f"how_{column.name}"), data.get(f"value_{column.name}")
            needed = column.width is None or how in {How.APPEND, How.REPLACE}
            if how and needed and value in (None, "") and f"value_{column.name}" not in self.errors:
                self.add_error(f"value_{column.name}", "Enter a value.")
        if not self.errors and not self.edits():
            self.add_error(None, f"Choose what to change of the {self.table.noun}s.")
        return data

    def edits(self) -> list[ColumnEdit]:
        """What is done to the columns, once the form is valid; nothing where rows are deleted."""
        if self.cleaned_data["action"] == Action.DELETE:
            return []
        return [
            ColumnEdit(name, How(how), self.cleaned_data[f"value_{name}"], self._other(name, how))
            for name in (column.name for column in self.table.columns)
            if (how := self.cleaned_data.get(f"how_{name}"))
        ]

    def _other(self, name: str, how: str) -> Any:
        return self.cleaned_data.get(f"other_{name}") if how in {How.REPLACE, How.STEP} else None
