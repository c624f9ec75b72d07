"""When a rule shall apply, as people say it."""

import re
from datetime import date
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils import timezone

from dialplan.translation.writing import Schedule, ScheduleError

_WEEKDAYS = ((0, "Mon"), (1, "Tue"), (2, "Wed"), (3, "Thu"), (4, "Fri"), (5, "Sat"), (6, "Sun"))
_MONTHS = tuple((month, date(2000, month, 1).strftime("%b")) for month in range(1, 13))
_MONTHDAYS = re.compile(r"(?P<first>\d{1,2})(?:\s*-\s*(?P<last>\d{1,2}))?|(?P<end>last)", re.IGNORECASE)
_LONGEST_MONTH = 31
_ZONES = frozenset(available_timezones())


class ScheduleForm(forms.Form):
    """Weekdays, times, dates, days of the month, months and the zone."""

    weekdays = forms.TypedMultipleChoiceField(
        label="On", choices=_WEEKDAYS, coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )
    begins = forms.TimeField(label="From", widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    ends = forms.TimeField(
        label="To",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="00:00 is midnight; earlier than From: of the next day.",
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
    monthdays = forms.CharField(
        label="Days of the month",
        required=False,
        max_length=100,
        help_text="Such as 1, 24-26, last. Empty: all.",
    )
    months = forms.TypedMultipleChoiceField(
        label="Only in", choices=_MONTHS, coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Office hours, from today on."""
        today = timezone.localdate()
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

    def clean_monthdays(self) -> frozenset[int]:
        """The days: 1 to 31, and -1 for the last."""
        days: set[int] = set()
        for part in filter(None, map(str.strip, self.cleaned_data["monthdays"].split(","))):
            found = _MONTHDAYS.fullmatch(part)
            if found is None:
                raise forms.ValidationError(f"{part} is no day, no range of days and not last.")
            if found["end"]:
                days.add(-1)
                continue
            first, last = int(found["first"]), int(found["last"] or found["first"])
            if not 1 <= first <= last <= _LONGEST_MONTH:
                raise forms.ValidationError(f"{part}: days go from 1 up to 31.")
            days.update(range(first, last + 1))
        return frozenset(days)

    def clean(self) -> dict[str, Any]:
        """Keep the text that says so, or say at which field none does."""
        data: dict[str, Any] = self.cleaned_data
        if self.errors:
            return data
        sets = {"weekdays": frozenset(data["weekdays"]), "months": frozenset(data["months"])}
        schedule = Schedule(**(data | sets))
        try:
            data["text"] = schedule.text()
        except ScheduleError as error:
            self.add_error(error.field, str(error))
        return data


def zones() -> list[str]:
    """The names of all zones, for the field's list."""
    return sorted(_ZONES)
