"""The question before a destination is taken out for a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from efcp.operations.forms import ProxiesField
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import WatchedProxy

MAX_MINUTES = 30 * 24 * 60
MAX_AHEAD = timedelta(days=90)
_SOON = timedelta(minutes=1)


class MaintenanceForm(forms.Form):
    """Why, when and for how long, on which proxies.

    Where nothing active would be left of the set, that is to be confirmed twice: by `anyway`, and then by the
    set's number in `typed_set`.
    """

    reason = forms.CharField(max_length=255, error_messages={"required": "Enter a reason for the others."})
    begins_at = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    minutes = forms.IntegerField(min_value=1, max_value=MAX_MINUTES, initial=60)
    anyway = forms.BooleanField(required=False)
    typed_set = forms.CharField(max_length=20, required=False)

    def __init__(self, data: Mapping[str, Any] | None, watched: Sequence[WatchedProxy], setid: int) -> None:
        super().__init__(data)
        self.fields["proxy"] = ProxiesField(watched)
        self._setid = setid

    def clean_begins_at(self) -> datetime:
        """The moment, typed on the user's clock; now where none is given."""
        begins_at: datetime | None = self.cleaned_data["begins_at"]
        now = timezone.now()
        if begins_at is None:
            return now
        if begins_at < now - _SOON:
            raise forms.ValidationError("This time has passed. Leave blank to start now.")
        if begins_at > now + MAX_AHEAD:
            raise forms.ValidationError(f"At most {MAX_AHEAD.days} days ahead.")
        return max(begins_at, now)

    def ends_at(self) -> datetime:
        """When it is put back."""
        begins_at: datetime = self.cleaned_data["begins_at"]
        return begins_at + timedelta(minutes=self.cleaned_data["minutes"])

    def proxies(self) -> list[Proxy]:
        """The chosen proxies."""
        chosen: list[Proxy] = self.cleaned_data["proxy"]
        return chosen

    def is_confirmed_once(self) -> bool:
        """Whether to go ahead although nothing active is left."""
        return bool(self.cleaned_data["anyway"])

    def is_confirmed_twice(self) -> bool:
        """Whether that was confirmed a second time."""
        return self.is_confirmed_once() and self.cleaned_data["typed_set"].strip() == str(self._setid)


class ExtendForm(forms.Form):
    """Duration (minutes) from now it goes on."""

    minutes = forms.IntegerField(min_value=1, max_value=MAX_MINUTES)
