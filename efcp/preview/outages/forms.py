"""The question before an outage: how is probed, and when the gateway dies and returns."""

from django import forms

from dispatcher.routing.outage import Outage, Pace
from dispatcher.routing.probing import ProbingSettings

DEFAULTS = {
    "interval": "10",
    "threshold": "1",
    "timeout": "30",
    "dies_at": "3",
    "returns_at": "120",
    "code": "",
    "reply_codes": "",
    "probed": "always",
}
ALWAYS, NOT_PROBED = "always", "probing"
MAX_S = 3_600.0


class OutageForm(forms.Form):
    """Settings of dispatcher and tm, and one gateway's fate. Times are seconds from a round of probing."""

    interval = forms.IntegerField(
        label="ds_ping_interval (s)", min_value=1, max_value=3_600, help_text="How often is probed."
    )
    threshold = forms.IntegerField(
        label="ds_probing_threshold",
        min_value=1,
        max_value=100,
        help_text="Failures that turn it to probing.",
    )
    timeout = forms.FloatField(
        label="fr_timeout (s)", min_value=0.1, max_value=300, help_text="Of tm: how long a probe waits."
    )
    probed = forms.ChoiceField(
        label="The gateway is probed",
        choices=[
            (ALWAYS, "always (probe_mode 1, or ds_probing_mode 1)"),
            (NOT_PROBED, "only while it is probing"),
        ],
    )
    dies_at = forms.FloatField(label="It dies at (s)", min_value=0, max_value=MAX_S)
    returns_at = forms.FloatField(
        label="It returns at (s)", min_value=0, max_value=2 * MAX_S, required=False, help_text="Empty: never."
    )
    code = forms.IntegerField(
        label="While it is down it answers",
        min_value=300,
        max_value=699,
        required=False,
        help_text="A SIP status code. Empty: nothing.",
    )
    reply_codes = forms.CharField(
        label="options_reply_codes", required=False, max_length=200, help_text="Codes that are good as well."
    )

    def clean_reply_codes(self) -> frozenset[int]:
        """The numbers."""
        try:
            return frozenset(int(word) for word in self.cleaned_data["reply_codes"].replace(",", " ").split())
        except ValueError as error:
            raise forms.ValidationError("Status codes, with commas in between.") from error

    def clean(self) -> dict[str, object]:
        """Refuse a gateway that returns before it died."""
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        dies, returns = self.cleaned_data.get("dies_at"), self.cleaned_data.get("returns_at")
        if dies is not None and returns is not None and returns <= dies:
            self.add_error("returns_at", "It returns after it died.")
        return cleaned

    def pace(self) -> Pace:
        """How often is probed, and how long a probe waits."""
        return Pace(self.cleaned_data["interval"], self.cleaned_data["timeout"])

    def settings(self) -> ProbingSettings:
        """What an answer means."""
        return ProbingSettings(self.cleaned_data["threshold"], reply_codes=self.cleaned_data["reply_codes"])

    def outage(self) -> Outage:
        """The gateway's fate."""
        given = self.cleaned_data
        return Outage(given["dies_at"], given["returns_at"], given["code"])

    @property
    def is_always_probed(self) -> bool:
        """Whether rounds ask the gateway while it is active."""
        return bool(self.cleaned_data["probed"] == ALWAYS)
