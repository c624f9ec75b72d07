"""The question before a live state is set."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from efcp.operations.forms import ProxiesField
from efcp.operations.states.selectors import omitted_proxies
from efcp.proxies.models import KnownState, Proxy
from efcp.proxies.selectors import WatchedProxy


class StateForm(forms.Form):
    """Which state, on which proxies, and why."""

    state = forms.ChoiceField(
        choices=KnownState.choices, widget=forms.RadioSelect, error_messages={"required": "Select a state."}
    )
    reason = forms.CharField(max_length=255, required=False)
    only_these = forms.BooleanField(required=False)
    form_key = forms.CharField(
        max_length=43, required=False, initial=secrets.token_urlsafe, widget=forms.HiddenInput
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        watched: Sequence[WatchedProxy],
        recovered: QueryDict | None = None,
    ) -> None:
        """The form is filled with `recovered`, the input of an ended session."""
        super().__init__(data, initial=_initial(recovered))
        self.fields["proxy"] = ProxiesField(watched)
        self._watched = watched

    def proxies(self) -> list[Proxy]:
        """The chosen proxies."""
        chosen: list[Proxy] = self.cleaned_data["proxy"]
        return chosen

    def omitted_proxies(self) -> list[Proxy]:
        """The proxies that share the table with the chosen ones, and are not chosen as the form stands."""
        pks = {str(pk) for pk in self["proxy"].value() or ()}
        return omitted_proxies(
            [each.proxy for each in self._watched if str(each.proxy.pk) in pks], self._watched
        )

    def clean(self) -> None:
        """Some of the proxies that share a table are set only once that was confirmed."""
        if self.cleaned_data.get("proxy") and not self.cleaned_data["only_these"] and self.omitted_proxies():
            self.add_error("only_these", "Not all proxies that share the table are selected: see below.")

    def chosen_state(self) -> KnownState:
        """The state to set."""
        return KnownState(self.cleaned_data["state"])


def _initial(recovered: QueryDict | None) -> dict[str, Any]:
    if recovered is None or "state" not in recovered:
        return {}
    return {
        "proxy": recovered.getlist("proxy"),
        "state": recovered.get("state", ""),
        "reason": recovered.get("reason", ""),
    }
