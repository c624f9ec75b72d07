"""Fields of forms that edit a row of OpenSIPS's tables."""

from collections import defaultdict
from typing import Any

from django import forms
from django.http import QueryDict

from efcp.editing.findings import Finding


class ExactTextField(forms.CharField):
    """Text as it was typed: the proxy does not cut spaces around it, so the checks judge them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)


class CheckedField(forms.BoundField):
    """A field of the form together with what the checks warn of."""

    @property
    def warnings(self) -> list[Finding]:
        """The findings at this field that do not stop the save."""
        form = self.form
        return form.warnings[self.name] if isinstance(form, CheckedForm) else []


class CheckedForm(forms.Form):
    """A form whose fields have warnings beside their errors, and ask for both while they are typed."""

    bound_field_class = CheckedField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.warnings: dict[str, list[Finding]] = defaultdict(list)

    def check_while_typing(self, names: tuple[str, ...], address: str) -> None:
        """Have each of these fields ask `address` for its findings as it is typed."""
        for name in names:
            self.fields[name].widget.attrs |= {
                "hx-post": address,
                "hx-trigger": "input changed delay:400ms, change",
                "hx-target": f"#findings-{name}",
                "hx-swap": "outerHTML",
                "hx-sync": "this:replace",
                "autocomplete": "off",
                "spellcheck": "false",
            }

    @staticmethod
    def notice_of(typed: QueryDict | None) -> str:
        """What is said where the form is filled with what was typed before the session ended."""
        return "You were signed out. This is what you had typed; nothing is saved yet." if typed else ""

    def all_warnings(self) -> list[Finding]:
        """Every finding that did not stop the save."""
        return [finding for findings in self.warnings.values() for finding in findings]
