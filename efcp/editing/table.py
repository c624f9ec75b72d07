"""The declaration of an OpenSIPS table that the panel edits: its columns, and what is done with each."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from django import forms
from django.db.models import Model

from efcp.audit.services import Subject

MAX_INT = 2**31 - 1
"""The largest number that OpenSIPS's INT columns hold."""


class Row(Protocol):
    """A row: a frozen dataclass with a field for each column, and `id`, None before the row is stored."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> int | None:
        """The row's id."""

    @classmethod
    def of(cls, stored: object) -> Self:
        """The row that a model's instance was read with."""

    def __init__(self, **columns: Any) -> None: ...


RowT = TypeVar("RowT", bound=Row)


def unchanged(text: str) -> str:
    """The text itself."""
    return text


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `field` is the form field: label, help, widget, choices, width, initial value.

    A text goes through `clean` before it is stored, and is stored as `empty` where nothing is left. Each
    INSERT names the column if it is `inserted`, else only where its value is not 0 or empty. Each UPDATE is
    guarded by the columns of the `identity` besides the changed ones. Columns that `proxies_write` are no
    conflict when the row is deleted. The list's search looks at what is `searched`. `mask` replaces a secret
    part wherever the value is shown.
    """

    name: str
    field: forms.Field
    clean: Callable[[str], str] = unchanged
    empty: str | None = None
    inserted: bool = True
    identity: bool = False
    proxies_write: bool = False
    searched: bool = False
    mask: Callable[[str], str] | None = None

    @property
    def width(self) -> int | None:
        """How many characters a text column holds; None for a number."""
        return getattr(self.field, "width", None)

    @property
    def is_flag(self) -> bool:
        """Whether the form shows it as a check box."""
        return isinstance(self.field, forms.BooleanField)

    def shown(self, value: Any) -> str:
        """The value for people: the label of a choice, yes or no for a flag, without secrets."""
        if self.is_flag:
            return "yes" if value in (True, 1, "1") else "no"
        choices: Any = self.field.choices if isinstance(self.field, forms.ChoiceField) else ()
        labels = {str(each): str(label) for each, label in choices}
        text = "" if value is None else labels.get(str(value), str(value))
        return self.mask(text) if self.mask else text

    def to_store(self, value: Any, original: Any) -> Any:
        """The value for the table. Where no text is typed, an `original` that is empty or NULL stays so."""
        if self.width is None:
            return int(value) if self.is_flag else value
        text = self.clean(value or "")
        return text or (original if original in ("", None) else self.empty)


@dataclass(frozen=True)
class Table(Generic[RowT]):
    """A table: `name` in the database and in the audit; `model` reads it, `row` is what is worked with.

    `noun` is what people call a row. They know it by the column `title`, and by the group (a set, a dialplan:
    the `group_noun`) that the column `key` numbers. `identify` gives what no two rows may share; None where
    rows may be equal.
    """

    name: str
    model: type[Model]
    row: type[RowT]
    columns: tuple[Column, ...]
    noun: str
    title: str
    key: str
    group_noun: str
    identify: Callable[[RowT], Hashable] | None = None
    in_order: tuple[str, ...] = ("id",)
    """The columns by which the rows of all groups are ordered, as proxies have them in each."""

    def form_values(self, row: RowT) -> dict[str, Any]:
        """The columns as a form takes them: a flag is True or False by its lowest bit."""
        return {
            column.name: bool(value & 1) if column.is_flag else value
            for column in self.columns
            for value in [getattr(row, column.name)]
        }

    def values(self, row: RowT) -> tuple[Any, ...]:
        """The columns of the row, in the order of the table's."""
        return tuple(getattr(row, column.name) for column in self.columns)

    def match_key(self, row: RowT) -> Hashable:
        """By what the row is found again in another listing of the table, where ids don't count."""
        if self.identify is not None:
            return self.identify(row)
        return tuple(getattr(row, column.name) for column in self.columns if column.identity)

    def title_of(self, row: RowT) -> str:
        """What people call the row."""
        return str(getattr(row, self.title))

    def group_of(self, row: RowT) -> str:
        """The row's group for people, such as `set 1`."""
        return f"{self.group_noun} {getattr(row, self.key)}"

    def label(self, row: RowT) -> str:
        """The row for people, with its group."""
        return f"{self.title_of(row)} in {self.group_of(row)}"

    def subject(self, row_id: int, row: RowT) -> Subject:
        """How audit records name a row."""
        return Subject(self.name, str(row_id), self.label(row))

    def masked(self, row: RowT) -> dict[str, Any]:
        """The columns as the audit and pages show them: without secrets."""
        return {
            column.name: column.mask(value) if column.mask else value
            for column in self.columns
            for value in [getattr(row, column.name)]
        }

    def inserted(self, row: RowT) -> dict[str, Any]:
        """The columns that an INSERT of the row names."""
        return {
            column.name: value
            for column in self.columns
            if (value := getattr(row, column.name)) or column.inserted
        }

    def changes(self, original: RowT, edited: RowT) -> dict[str, Any]:
        """The columns in which `edited` differs from `original`."""
        names = (column.name for column in self.columns)
        return {
            name: getattr(edited, name) for name in names if getattr(edited, name) != getattr(original, name)
        }

    def guards(self, original: RowT, changed: Iterable[str]) -> dict[str, Any]:
        """The columns that an UPDATE of the `changed` ones must find as they are in `original`."""
        identity = (column.name for column in self.columns if column.identity)
        return {name: getattr(original, name) for name in (*identity, *changed)}

    @property
    def text_columns(self) -> frozenset[str]:
        """The columns that are compared byte for byte."""
        return frozenset(self.widths)

    @property
    def widths(self) -> dict[str, int]:
        """How many characters the text columns hold."""
        return {column.name: column.width for column in self.columns if column.width is not None}

    @property
    def proxies_write(self) -> frozenset[str]:
        """The columns that proxies write themselves."""
        return frozenset(column.name for column in self.columns if column.proxies_write)
