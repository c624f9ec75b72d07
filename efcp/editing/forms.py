"""Forms that edit a row of one of OpenSIPS's tables: text in, a row out, findings at each field.

A form carries its edit token: the row as its editor loaded it, signed. An UPDATE is guarded by it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Self

from django import forms
from django.core import signing
from django.http import QueryDict
from django.urls import reverse_lazy
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.text import format_lazy

from efcp.editing.findings import Finding, Severity, text_findings
from efcp.editing.table import RowT, Table


class ExactTextField(forms.CharField):
    """A text column of `width` characters. Spaces around the text stay: the proxy does not cut them.

    `text_findings` checks the length of a column's text.
    """

    def __init__(self, *, width: int | None = None, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)
        self.width = width

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """The usual ones without maxlength: browsers cut a longer text in silence when it is pasted."""
        attrs: dict[str, Any] = super().widget_attrs(widget)
        attrs.pop("maxlength", None)
        return attrs


@dataclass(frozen=True, slots=True)
class Marked:
    """A text split where it is wrong; `at` is empty where something lacks at its end."""

    before: str
    at: str
    after: str

    @classmethod
    def of(cls, text: str, position: int) -> "Marked":
        """`text` with the character at `position`, from 0, marked."""
        return cls(text[:position], text[position : position + 1], text[position + 1 :])


class CheckedField(forms.BoundField):
    """A field with the findings about it."""

    is_checked = True

    @property
    def warnings(self) -> list[Finding]:
        """The findings at this field that do not stop the save."""
        form = self.form
        return form.warnings[self.name] if isinstance(form, CheckedForm) else []

    @property
    def marked(self) -> Marked | None:
        """The text with the place of the error, where there is one."""
        return self.form.marked.get(self.name) if isinstance(self.form, CheckedForm) else None

    @property
    def confirmation(self) -> forms.BoundField | None:
        """The box by which the user confirms what a finding warns of."""
        return self.form.confirmation(self.name) if isinstance(self.form, CheckedForm) else None

    @property
    def width(self) -> int | None:
        """How many characters the column holds, where it is one of text."""
        return self.field.width if isinstance(self.field, ExactTextField) else None

    @property
    def characters(self) -> int:
        """How many characters the value has."""
        return len(str(self.value() or ""))


class CheckedForm(forms.Form):
    """A form whose fields have warnings besides errors; both are checked while the user types."""

    bound_field_class = CheckedField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.warnings: dict[str, list[Finding]] = defaultdict(list)
        self.marked: dict[str, Marked] = {}

    def confirmation(self, _name: str) -> forms.BoundField | None:
        """The box by which the user confirms what a finding at a field warns of."""
        return None

    def add_finding(self, finding: Finding) -> None:
        """Show `finding` at its field; an error stops the save, and its place is marked."""
        if finding.severity is Severity.WARNING:
            self.warnings[finding.field].append(finding)
            return
        if finding.position is None:
            self.add_error(finding.field, forms.ValidationError(finding.text, code=finding.code))
            return
        message = f"{finding.text.rstrip('.')} (at character {finding.position + 1})."
        self.add_error(finding.field, forms.ValidationError(message, code=finding.code))
        text = str(self[finding.field].value() or "")
        self.marked.setdefault(finding.field, Marked.of(text, finding.position))

    def check_while_typing(self, names: tuple[str, ...], address: object) -> None:
        """Have htmx post each of these fields to `address` for its findings as it is typed."""
        for name in names:
            self.fields[name].widget.attrs |= {
                "hx-post": address,
                "hx-trigger": "input changed delay:400ms, change",
                "hx-target": f"#findings-{name}",
                "hx-swap": "outerHTML",
                "hx-sync": "this:queue last",
                "aria-describedby": self._described_by(name),
                "autocomplete": "off",
                "spellcheck": "false",
            }

    def _described_by(self, name: str) -> str:
        """The ids of what a screen reader reads with the field: its help and its findings."""
        has_help = bool(self.fields[name].help_text)
        return f"{self[name].id_for_label}_helptext findings-{name}" if has_help else f"findings-{name}"

    def all_warnings(self) -> list[Finding]:
        """Every finding that did not stop the save."""
        return [finding for findings in self.warnings.values() for finding in findings]


class GuardedForm(CheckedForm, Generic[RowT]):
    """A form about one stored row, with its edit token; or about a row to add, which has none.

    `stored` is the row as it is now.
    """

    table: Table[RowT]

    reason = forms.CharField(
        label="Reason", max_length=255, required=False, help_text="Stored in the change log."
    )
    original = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        stored: RowT | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        token = {} if stored is None else {"original": edit_token(self.table, stored)}
        super().__init__(data, initial=token | dict(initial or {}))
        self.stored = stored

    def has_token(self) -> bool:
        """Whether the form was sent with an edit token of this version of the panel."""
        return self._loaded() is not None

    def original_row(self) -> RowT:
        """The row as its editor loaded it; the row as it is now where the form has no token."""
        if self.stored is None:
            raise ValueError("Only a form about a stored row has an original.")
        return self._loaded() or self.stored

    def renew_token(self, current: RowT) -> None:
        """Guard the next save by `current`, which the page is about to show."""
        data = self.data.dict() if isinstance(self.data, QueryDict) else self.data
        self.data = {**data, "original": edit_token(self.table, current)}

    def _loaded(self) -> RowT | None:
        return (
            None
            if self.stored is None
            else read_token(self.table, self.data.get("original", ""), self.stored)
        )


class DeleteForm(GuardedForm[RowT]):
    """The question before a row is deleted."""

    def __init__(self, table: Table[RowT], data: Mapping[str, Any] | None = None, *, stored: RowT) -> None:
        self.table = table
        super().__init__(data, stored=stored)


class RowForm(GuardedForm[RowT]):
    """The form that adds or edits a row: a field for each column of its table, and a reason.

    A module's form names its `table`, the address that checks a field (`check_url`), and what is special.
    """

    check_url: ClassVar[str]
    clone_notice: ClassVar[str] = "Unsaved copy. Change what differs, then save."

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        stored: RowT | None = None,
        initial: Mapping[str, Any] | None = None,
        notice: str = "",
    ) -> None:
        super().__init__(data, stored=stored, initial=initial)
        self.notice = notice
        self.fields = {each.name: deepcopy(each.field) for each in self.table.columns} | self.fields
        checked = tuple(each.name for each in self.table.columns if not each.is_flag)
        query = f"?row={stored.id}" if stored is not None else ""
        # Lazily, since a job that checks rows has no use for the addresses of all pages.
        self.check_while_typing(checked, format_lazy("{}{}", reverse_lazy(self.check_url), query))

    def rebind(self, values: Mapping[str, Any], stored: RowT | None) -> None:
        """Bind this form to the next row of many: making a form takes ten times as long as checking a row."""
        self.data, self.stored, self.is_bound = dict(values), stored, True
        self._errors = None
        self.warnings.clear()
        self.marked.clear()

    @classmethod
    def to_add(cls, initial: Mapping[str, Any], recovered: QueryDict | None = None) -> Self:
        """The form to add a row, with `initial` filled in, or the `recovered` input of an ended session."""
        return cls(initial=dict(initial) | cls._recovered(recovered), notice=_recovery_notice(recovered))

    @classmethod
    def to_edit(cls, stored: RowT, recovered: QueryDict | None = None) -> Self:
        """The form filled with a row, or with the `recovered` input of an ended session."""
        initial = cls.initial_of(stored) | cls._recovered(recovered)
        return cls(stored=stored, initial=initial, notice=_recovery_notice(recovered))

    @classmethod
    def to_clone(cls, source: RowT, **changes: Any) -> Self:
        """The form to add a row with the values of another, but for `changes`."""
        return cls(initial=cls.initial_of(source) | changes, notice=cls.clone_notice)

    @classmethod
    def to_restore(cls, former: Mapping[str, Any], stored: RowT | None) -> Self:
        """The form filled with `former` values, to edit `stored`, or to add the row again if it is gone."""
        known = {each.name: former[each.name] for each in cls.table.columns if each.name in former}
        row = cls.table.row(**known) if stored is None else replace(stored, **known)
        return cls(
            stored=stored,
            initial=cls.initial_of(row),
            notice="These are the earlier values. Nothing is saved yet.",
        )

    @classmethod
    def initial_of(cls, row: RowT) -> dict[str, Any]:
        """What the fields show of a row."""
        return {
            each.name: bool(value) if each.is_flag else value
            for each in cls.table.columns
            for value in [getattr(row, each.name)]
        }

    @classmethod
    def _recovered(cls, recovered: QueryDict | None) -> dict[str, Any]:
        if recovered is None:
            return {}
        flags = [name for name, field in cls.declared_fields.items() if isinstance(field, forms.BooleanField)]
        flags += [each.name for each in cls.table.columns if each.is_flag]
        return {**recovered.dict(), **{name: name in recovered for name in flags}}

    def clean(self) -> dict[str, Any]:
        """Add the findings about the row: errors stop the save, warnings do not."""
        for finding in self.findings():
            self.add_finding(finding)
        return self.cleaned_data

    def findings(self) -> Iterator[Finding]:
        """What is wrong, or surprising, about the row."""
        yield from text_findings(self.table.name, self.table.widths, self.cleaned_data)

    def row(self) -> RowT:
        """The row to write, once the form is valid."""
        original = None if self.stored is None else self.original_row()
        values = {
            each.name: each.to_store(
                self.cleaned_data.get(each.name), getattr(original, each.name, each.empty)
            )
            for each in self.table.columns
        }
        return self.table.row(**values, id=None if self.stored is None else self.stored.id)


_SALT = "efcp.editing.edit-token"


def edit_token(table: Table[RowT], row: RowT) -> str:
    """The row, signed for the hidden field of a form.

    Secrets do not go into the page a second time: a digest of each column that has a mask shows whether it is
    still the one that was loaded.
    """
    return signing.dumps([table.masked(row), _digests(table, row)], salt=f"{_SALT}.{table.name}")


def read_token(table: Table[RowT], token: str, stored: RowT) -> RowT | None:
    """The row that `token` was made of; None for one that this version of the panel did not sign.

    Where a secret was changed since, the masked one is returned: it equals nothing that a table holds, so
    that an update guarded by it fails.
    """
    try:
        masked, digests = signing.loads(token, salt=f"{_SALT}.{table.name}")
        row = table.row(**masked, id=stored.id)
    except (signing.BadSignature, TypeError, ValueError):
        return None
    now = _digests(table, stored)
    unchanged = {name for name in now if constant_time_compare(now[name], digests.get(name, ""))}
    return replace(row, **{name: getattr(stored, name) for name in unchanged})


def _digests(table: Table[RowT], row: RowT) -> dict[str, str]:
    secrets = (each.name for each in table.columns if each.mask)
    return {name: salted_hmac(_SALT, getattr(row, name), algorithm="sha256").hexdigest() for name in secrets}


def _recovery_notice(recovered: QueryDict | None) -> str:
    return "You were signed out. Your input is restored; nothing is saved yet." if recovered else ""
