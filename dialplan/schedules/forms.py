"""When a rule shall apply, as people say it."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils import timezone

from dialplan.translation.writing import Schedule, ScheduleError

_WEEKDAYS = ((0, "Mon"), (1, "Tue"), (2, "Wed"), (3, "Thu"), (4, "Fri"), (5, "Sat"), (6, "Sun"))
_ZONES = frozenset(available_timezones())


class ScheduleForm(forms.Form):
    """Weekdays, times, dates and the zone."""

    weekdays = forms.TypedMultipleChoiceField(
        label="On", choices=_WEEKDAYS, coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )
    begins = forms.TimeField(label="From", widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    ends = forms.TimeField(
        label="To",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="00:00 is midnight.",
    )
    start = forms.DateField(label="Starts on", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Empty: no end.",
    )
    zone = forms.CharField(
        label="Time zone",
        required=False,
        max_length=64,
        help_text="Such as Europe/Berlin. Empty: the proxy's own.",
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Office hours, from today on."""
        today = timezone.now().date()
        return {
            "weekdays": ["0", "1", "2", "3", "4"],
            "begins": "08:00",
            "ends": "18:00",
            "start": str(today),
        }

    def clean_zone(self) -> str:
        """A zone that is known; one that is not would be UTC to the proxy."""
        zone: str = self.cleaned_data["zone"]
        if zone and zone not in _ZONES:
            raise forms.ValidationError("There is no such zone: the proxy would take UTC.")
        return zone

    def clean(self) -> dict[str, Any]:
        """Keep the text that says so, or say at which field none does."""
        data: dict[str, Any] = self.cleaned_data
        if self.errors:
            return data
        schedule = Schedule(**{**data, "weekdays": frozenset(data["weekdays"])})
        try:
            data["text"] = schedule.text()
        except ScheduleError as error:
            self.add_error(error.field, str(error))
        return data


def zones() -> list[str]:
    """The names of all zones, for the field's list."""
    return sorted(_ZONES)
