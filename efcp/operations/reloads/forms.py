"""The questions before a reload."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.http import QueryDict

from efcp.accounts.form_recovery import NOTICE
from efcp.figures import counted
from efcp.operations.forms import ProxiesField
from efcp.operations.reloads.services import ReloadRequest
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import WatchedProxy


class ReloadForm(forms.Form):
    """Which proxies, in which order, and why."""

    reason = forms.CharField(label="Reason", max_length=255, required=False)

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        watched: Sequence[WatchedProxy],
        recovered: QueryDict | None = None,
    ) -> None:
        """The form is filled with `recovered`, the input of an ended session."""
        super().__init__(data, initial=_initial(recovered))
        self.notice = NOTICE if recovered else ""
        self.fields["proxy"] = ProxiesField(watched)
        self.fields["first"] = forms.ChoiceField(
            label="Order", choices=[("", "All at once"), *map(_first_choice, watched)], required=False
        )

    def clean(self) -> dict[str, Any]:
        """What was chosen; a proxy to begin with has to be among the chosen ones."""
        data: dict[str, Any] = self.cleaned_data
        if data.get("first") and data.get("proxy") and self._first() is None:
            self.add_error("first", "The first proxy is not among the selected ones.")
        return data

    def proxies(self) -> list[Proxy]:
        """The chosen proxies, in their order."""
        chosen: list[Proxy] = self.cleaned_data["proxy"]
        return chosen

    def request(self) -> ReloadRequest:
        """How to reload them."""
        return ReloadRequest(first=self._first(), reason=self.cleaned_data["reason"])

    def _first(self) -> Proxy | None:
        first = self.cleaned_data["first"]
        return next((proxy for proxy in self.cleaned_data["proxy"] if str(proxy.pk) == first), None)


class DispatcherReloadForm(ReloadForm):
    """The question before ds_reload, and before calls are lost with a destination that it drops."""

    inherit_state = forms.TypedChoiceField(
        label="States",
        choices=(
            ("y", "Keep live states (inherit_state=y)"),
            ("n", "Reset to the table's initial states (inherit_state=n)"),
        ),
        coerce=lambda value: value == "y",
        initial="y",
        widget=forms.RadioSelect,
    )
    allow_losses = forms.BooleanField(
        required=False,
        label="Reload even though destinations in use would or may be rejected",
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        watched: Sequence[WatchedProxy],
        recovered: QueryDict | None = None,
        losses: Mapping[int, int] | None = None,
    ) -> None:
        """`losses` counts by proxy id what takes calls and would be dropped, or may be, over its name."""
        super().__init__(data, watched, recovered)
        self.losses = losses or {}

    def clean(self) -> dict[str, Any]:
        """What was chosen; refused where calls would be lost and that was not confirmed."""
        data = super().clean()
        losing = [proxy for proxy in data.get("proxy") or () if self.losses.get(proxy.pk)]
        if losing and not data.get("allow_losses"):
            names = ", ".join(proxy.name for proxy in losing)
            self.add_error(
                "allow_losses",
                f"Destinations in use on {names} would or may be rejected: confirm below.",
            )
        return data

    @property
    def loses_calls(self) -> bool:
        """Whether that has to be confirmed."""
        return any(self.losses.values())

    def request(self) -> ReloadRequest:
        """How to reload them."""
        return replace(super().request(), inherit_state=self.cleaned_data["inherit_state"])


class DialplanReloadForm(ReloadForm):
    """The question before dp_reload; where test cases fail, that has to be meant."""

    allow_failures = forms.BooleanField(required=False)

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        watched: Sequence[WatchedProxy],
        recovered: QueryDict | None = None,
        failing: int = 0,
    ) -> None:
        """`failing` is how many test cases fail on the table."""
        super().__init__(data, watched, recovered)
        fail = f"{counted(failing, 'test case')} {'fails' if failing == 1 else 'fail'}"
        self.fields["allow_failures"].label = f"Reload even though {fail}"
        self._failing = failing

    def clean(self) -> dict[str, Any]:
        """What was chosen; refused where test cases fail and that was not confirmed."""
        data = super().clean()
        if self._failing and not data.get("allow_failures"):
            self.add_error("allow_failures", "Test cases fail: confirm below.")
        return data

    def request(self) -> ReloadRequest:
        """How to reload them."""
        return replace(super().request(), module="dialplan")


def _first_choice(each: WatchedProxy) -> tuple[str, str]:
    return str(each.proxy.pk), f"{each.proxy.name} first, the others only if it succeeds"


def _initial(recovered: QueryDict | None) -> dict[str, Any]:
    if recovered is None:
        return {}
    return {
        "proxy": recovered.getlist("proxy"),
        "inherit_state": recovered.get("inherit_state", "y"),
        "first": recovered.get("first", ""),
        "reason": recovered.get("reason", ""),
    }
