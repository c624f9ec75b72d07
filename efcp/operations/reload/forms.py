"""The question before a reload."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from efcp.operations.reload.services import Wanted
from efcp.proxies.models import Proxy


class ReloadForm(forms.Form):
    """Which proxies, and how."""

    proxy = forms.MultipleChoiceField(
        label="Proxies", widget=forms.CheckboxSelectMultiple, error_messages={"required": "Choose a proxy."}
    )
    inherit_state = forms.TypedChoiceField(
        label="States",
        choices=(
            ("y", "Keep the states in memory (inherit_state=y)"),
            ("n", "Take the initial states of the table (inherit_state=n)"),
        ),
        coerce=lambda value: value == "y",
        initial="y",
        widget=forms.RadioSelect,
    )
    one_first = forms.BooleanField(
        label="One proxy first, the others only if it comes back clean", required=False
    )
    reason = forms.CharField(label="Reason", max_length=255, required=False)

    def __init__(
        self, data: Mapping[str, Any] | None, *, choices: Sequence[Proxy], chosen: Sequence[Proxy]
    ) -> None:
        super().__init__(data, initial={"proxy": [str(proxy.pk) for proxy in chosen]})
        self._proxies = {str(proxy.pk): proxy for proxy in choices}
        field = self.fields["proxy"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [(pk, proxy.name) for pk, proxy in self._proxies.items()]

    def proxies(self) -> list[Proxy]:
        """The chosen proxies, in their order."""
        return [self._proxies[pk] for pk in self.cleaned_data["proxy"]]

    def wanted(self) -> Wanted:
        """How to reload them."""
        data = self.cleaned_data
        return Wanted(data["inherit_state"], data["one_first"], data["reason"])
