"""The question before a probe."""

from typing import Any

from django import forms

from efcp.operations.probes.selectors import ProbePlan, ProbeTarget, last_from
from efcp.sip.options import may_stand_in_request
from efcp.sip.uri import UriError, parse


class ProbeForm(forms.Form):
    """Which of the known addresses, and as whom."""

    target = forms.ChoiceField(label="To")
    method = forms.ChoiceField(
        label="Method", choices=[("OPTIONS", "OPTIONS"), ("INFO", "INFO")], help_text="ds_ping_method"
    )
    from_uri = forms.CharField(label="From", max_length=255, help_text="ds_ping_from")

    def __init__(self, data: Any, probing: ProbePlan) -> None:
        first = probing.targets[0].proxy if probing.targets else ""
        super().__init__(data, initial={"from_uri": last_from(first)})
        self._targets = {each.key: each for each in probing.targets}
        self.fields["target"].choices = [(key, each.label) for key, each in self._targets.items()]  # type: ignore[attr-defined]

    def clean_from_uri(self) -> str:
        """A SIP URI that can stand in a request."""
        text: str = self.cleaned_data["from_uri"]
        try:
            uri = parse(text)
        except UriError as error:
            raise forms.ValidationError(f"Not a SIP URI: {error.reason}") from error
        if uri.scheme not in {"sip", "sips"} or not may_stand_in_request(text):
            raise forms.ValidationError("Not a SIP URI that a request can contain.")
        return text

    def chosen(self) -> ProbeTarget:
        """The address of the valid form."""
        return self._targets[self.cleaned_data["target"]]
