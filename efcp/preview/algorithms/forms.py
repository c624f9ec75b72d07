"""The question before a comparison of algorithms."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from efcp.preview.algorithms.traffic import MAX_CALLS, MAX_DURATION_S, Broken, Traffic, generated, parsed
from efcp.preview.asking import SourceField
from efcp.preview.sources import Source

MAX_SET = 2**31 - 1
MAX_PASTED = 2_000_000
DEFAULTS = {
    "setid": "1",
    "calls": "5000",
    "rate": "5",
    "mean": "120",
    "sigma": "1",
    "capacity": "500",
    "seed": "1",
}


class ComparisonForm(forms.Form):
    """The set, the calls, and what a weight of 1 can carry."""

    setid = forms.IntegerField(label="Set", min_value=0, max_value=MAX_SET)
    calls = forms.IntegerField(label="Calls", min_value=1, max_value=MAX_CALLS)
    rate = forms.FloatField(label="Calls a second", min_value=0.001, max_value=10_000)
    mean = forms.FloatField(label="Mean duration (s)", min_value=0.1, max_value=MAX_DURATION_S)
    sigma = forms.FloatField(
        label="Spread of durations",
        min_value=0,
        max_value=3,
        help_text="Of the logarithm: 0 all the same, 1 usual for calls.",
    )
    capacity = forms.IntegerField(
        label="Calls for a weight of 1",
        min_value=1,
        max_value=1_000_000,
        help_text="The resource that load_balancer counts.",
    )
    seed = forms.IntegerField(
        min_value=0, max_value=2**32 - 1, help_text="The same seed makes up the same calls."
    )
    log = forms.CharField(
        label="Or calls out of a log",
        required=False,
        max_length=MAX_PASTED,
        widget=forms.Textarea(attrs={"rows": 5, "class": "mono", "placeholder": "start,duration"}),
        help_text="A line each: start as seconds or ISO time, duration in seconds.",
        error_messages={"max_length": "At most 2 MB: take a part of the log."},
    )

    def __init__(self, data: Mapping[str, Any] | None, offered: Sequence[Source], **options: Any) -> None:
        super().__init__(data, **options)
        self._offered = {each.key: each for each in offered}
        self.broken = Broken(0, ())
        self.fields["source"] = SourceField(offered)

    def clean_log(self) -> Traffic | None:
        """The calls of the log; None where none was pasted."""
        text = self.cleaned_data["log"]
        if not text.strip():
            return None
        traffic, self.broken = parsed(text.splitlines())
        if not len(traffic):
            raise forms.ValidationError("No line of it is a start and a duration.")
        return traffic

    def traffic(self) -> Traffic:
        """The calls: those of the log, or made up ones."""
        given = self.cleaned_data
        if given["log"] is not None:
            logged: Traffic = given["log"]
            return logged
        return generated(given["calls"], given["rate"], given["mean"], given["sigma"], given["seed"])

    def source(self) -> Source:
        """The table or memory that was chosen."""
        return self._offered[self.cleaned_data["source"]]
