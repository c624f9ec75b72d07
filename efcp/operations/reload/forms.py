"""The question before a reload."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from efcp.operations.choosing import ProxiesField
from efcp.operations.reload.services import Wanted
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import WatchedProxy


class ReloadForm(forms.Form):
    """Which proxies, and how."""

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
        label="The first of these alone, the others only if it comes back clean", required=False
    )
    reason = forms.CharField(label="Reason", max_length=255, required=False)

    def __init__(
        self, data: QueryDict | None, watched: Sequence[WatchedProxy], typed: QueryDict | None = None
    ) -> None:
        """`typed` is what the form is filled with: it was typed before the session ended."""
        super().__init__(data, initial=_initial(typed))
        self.fields["proxy"] = ProxiesField(watched)

    def proxies(self) -> list[Proxy]:
        """The chosen proxies, in their order."""
        chosen: list[Proxy] = self.cleaned_data["proxy"]
        return chosen

    def wanted(self) -> Wanted:
        """How to reload them."""
        data = self.cleaned_data
        return Wanted(data["inherit_state"], data["one_first"], data["reason"])


def _initial(typed: QueryDict | None) -> dict[str, Any]:
    if typed is None:
        return {}
    return {
        "proxy": typed.getlist("proxy"),
        "inherit_state": typed.get("inherit_state", "y"),
        "one_first": "one_first" in typed,
        "reason": typed.get("reason", ""),
    }
