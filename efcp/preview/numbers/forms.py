"""Which log, which column of it, and which dialplan."""

from collections.abc import Sequence
from typing import Any

from django import forms

from efcp.preview.calls.forms import MAX_SET
from efcp.preview.models import CallLog


class NumbersForm(forms.Form):
    """The question to a log."""

    dpid = forms.IntegerField(label="Dialplan", min_value=0, max_value=MAX_SET)
    column = forms.TypedChoiceField(label="The number is in", coerce=int)
    has_header = forms.BooleanField(label="Its first line names the columns", required=False)

    def __init__(self, data: Any, log: CallLog, **options: Any) -> None:
        super().__init__(data, **options)
        columns: Sequence[str] = log.columns
        self.fields["column"].choices = list(enumerate(columns))  # type: ignore[attr-defined]
