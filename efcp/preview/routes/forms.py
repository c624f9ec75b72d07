"""The questions of the route map: where a dialplan leads, and a number to follow."""

from typing import Any

from django import forms

from dialplan.trying import MAX_INPUT
from dispatcher.routing.selection import parse_flags
from efcp.preview.calls.forms import ALGORITHMS, MAX_PART, MAX_SET
from efcp.preview.models import LeadTarget
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
    target = forms.ChoiceField(
        label="Leads to", choices=LeadTarget.choices, initial=LeadTarget.SET, required=False
    )
    setid = forms.IntegerField(label="Set", min_value=0, max_value=MAX_SET, required=False)
    next_dpid = forms.IntegerField(label="Other dialplan", min_value=0, max_value=MAX_SET, required=False)
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

    def clean(self) -> dict[str, Any]:
        """A set or a dialplan has to be named where it is what the lead goes to."""
        data: dict[str, Any] = self.cleaned_data
        data["target"] = data.get("target") or LeadTarget.SET
        needed = {LeadTarget.SET: "setid", LeadTarget.DIALPLAN: "next_dpid"}.get(data["target"])
        if needed and data.get(needed) is None and needed not in self.errors:
            self.add_error(needed, "This field is required.")
        return data

    def values(self) -> dict[str, Any]:
        """What the lead says; what its target does not need is left out."""
        data = self.cleaned_data
        leads_on = data["target"] == LeadTarget.DIALPLAN
        return {name: data[name] for name in ("target", "algorithm", "flags", "route")} | {
            "setid": data["setid"] if data["target"] == LeadTarget.SET else 0,
            "next_dpid": data["next_dpid"] if leads_on else None,
        }


class TraceForm(forms.Form):
    """A number to follow from the dialplan to a destination. All of it stands in the address."""

    dpid = forms.IntegerField(label="Dialplan", min_value=0, max_value=MAX_SET)
    number = forms.CharField(label="Number", max_length=MAX_INPUT, strip=False)
    domain = forms.CharField(label="Domain", max_length=MAX_PART)
    failures = forms.IntegerField(label="The first … fail", min_value=0, max_value=50)
