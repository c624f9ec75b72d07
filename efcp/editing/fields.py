"""Fields of forms that edit a row of OpenSIPS's tables."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting
from django.http import QueryDict

from efcp.editing.findings import Finding, Severity


class FieldRenderer(TemplatesSetting):
    """Renders every field of every form by one template: label, widget, help, errors and warnings."""

    field_template_name = "field.html"


class ExactTextField(forms.CharField):
    """Text as it was typed: the proxy does not cut spaces around it, so the checks judge them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """None: a browser would cut what is too long in silence when it is pasted."""
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
    """A field of the form together with what the checks say of it."""

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
        """The box by which the user says that a finding is meant so."""
        return self.form.confirmation(self.name) if isinstance(self.form, CheckedForm) else None

    @property
    def width(self) -> int | None:
        """How many characters the column holds, where it is one of text."""
        return self.form.widths().get(self.name) if isinstance(self.form, CheckedForm) else None

    @property
    def characters(self) -> int:
        """How many characters the value has."""
        return len(str(self.value() or ""))


class CheckedForm(forms.Form):
    """A form whose fields have warnings beside their errors, and ask for both while they are typed."""

    bound_field_class = CheckedField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.warnings: dict[str, list[Finding]] = defaultdict(list)
        self.marked: dict[str, Marked] = {}

    def widths(self) -> dict[str, int]:
        """How many characters the columns of text hold, by field."""
        return {}

    def confirmation(self, _name: str) -> forms.BoundField | None:
        """The box by which a finding at a field can be said to be meant so."""
        return None

    def tell(self, finding: Finding) -> None:
        """Say `finding` at its field; an error stops the save, and its place is marked."""
        if finding.severity is Severity.WARNING:
            self.warnings[finding.field].append(finding)
            return
        if finding.position is None:
            self.add_error(finding.field, finding.text)
            return
        self.add_error(finding.field, f"{finding.text.rstrip('.')} (at character {finding.position + 1}).")
        text = str(self[finding.field].value() or "")
        self.marked.setdefault(finding.field, Marked.of(text, finding.position))

    def check_while_typing(self, names: tuple[str, ...], address: str) -> None:
        """Have each of these fields ask `address` for its findings as it is typed."""
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
        """The ids of what a screen reader reads with the field: its help, and what the checks say of it."""
        has_help = bool(self.fields[name].help_text)
        return f"{self[name].id_for_label}_helptext findings-{name}" if has_help else f"findings-{name}"

    @staticmethod
    def notice_of(typed: QueryDict | None) -> str:
        """What is said where the form is filled with what was typed before the session ended."""
        return "You were signed out. This is what you had typed; nothing is saved yet." if typed else ""

    def all_warnings(self) -> list[Finding]:
        """Every finding that did not stop the save."""
        return [finding for findings in self.warnings.values() for finding in findings]
