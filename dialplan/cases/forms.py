"""A case, as it is typed."""

from typing import Any

from django import forms

from dialplan.dry_run import MAX_INPUT
from efcp.editing.forms import ExactTextField


class CaseForm(forms.Form):
    """An input and what must come out."""

    input = ExactTextField(label="Input", max_length=MAX_INPUT)
    expected = ExactTextField(label="Expected output", max_length=255, required=False)
    nothing = forms.BooleanField(label="Expect no match", required=False)

    def clean(self) -> dict[str, Any]:
        """An output and nothing at once make no sense."""
        data: dict[str, Any] = self.cleaned_data
        if data.get("nothing") and data.get("expected"):
            self.add_error("expected", "Enter an output or expect no match, not both.")
        return data

    def expected_output(self) -> str | None:
        """The output, None for nothing."""
        return None if self.cleaned_data["nothing"] else str(self.cleaned_data["expected"])
