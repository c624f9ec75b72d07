"""The questions of the route map: where a dialplan leads, and a number to follow."""

from typing import Any

from django import forms

from dialplan.trying import MAX_INPUT
from dispatcher.routing.selection import parse_flags
from efcp.preview.calls.forms import ALGORITHMS, MAX_PART, MAX_SET
from efcp.preview.routes.selectors import DEFAULT_FLAGS


class LeadForm(forms.Form):
    """Where translations lead. Its fields have ids of their own beside the TraceForm's."""

    dpid = forms.IntegerField(label="Dialplan", min_value=0, max_value=MAX_SET)
    attributes = forms.CharField(
        label="Attributes",
        max_length=255,
        required=False,
        help_text="Of the rule that is used; empty: any without a lead of its own.",
    )
    setid = forms.IntegerField(label="Set", min_value=0, max_value=MAX_SET)
    algorithm = forms.TypedChoiceField(choices=ALGORITHMS, coerce=int)
    flags = forms.CharField(max_length=8, required=False, initial=DEFAULT_FLAGS)
    route = forms.CharField(
        label="Route", max_length=64, required=False, help_text="That the script calls, such as to_media_vbb."
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, auto_id="lead_%s", **options)

    def clean_flags(self) -> str:
        """The flags as letters; one that is none is named."""
        flags: str = self.cleaned_data["flags"]
        try:
            parse_flags(flags)
        except ValueError as error:
            raise forms.ValidationError(f"{error}: f, u, d and a are.") from error
        return flags

    def values(self) -> dict[str, Any]:
        """What the lead says."""
        return {name: self.cleaned_data[name] for name in ("setid", "algorithm", "flags", "route")}


class TraceForm(forms.Form):
    """A number to follow from the dialplan to a destination. All of it stands in the address."""

    dpid = forms.IntegerField(label="Dialplan", min_value=0, max_value=MAX_SET)
    number = forms.CharField(label="Number", max_length=MAX_INPUT, strip=False)
    domain = forms.CharField(label="Domain", max_length=MAX_PART)
    failures = forms.IntegerField(label="The first … fail", min_value=0, max_value=50)
