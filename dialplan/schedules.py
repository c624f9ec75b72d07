"""The schedule of a rule: its recurrence in words, and a form that writes one."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from dialplan.translation.schedule import LOOKED_AHEAD_DAYS, Schedule, ScheduleError, in_words, next_change
from dialplan.translation.timerec import InvalidRecurrence, parse_timerec
from efcp.editing.listing import integer
from efcp.editing.table import MAX_INT

_WEEKDAYS = ((0, "Mon"), (1, "Tue"), (2, "Wed"), (3, "Thu"), (4, "Fri"), (5, "Sat"), (6, "Sun"))
_MONTHS = tuple((month, date(2000, month, 1).strftime("%b")) for month in range(1, 13))
_MONTHDAYS = re.compile(r"(?P<first>\d{1,2})(?:\s*-\s*(?P<last>\d{1,2}))?|(?P<end>last)", re.IGNORECASE)
_LONGEST_MONTH = 31
_ZONES = frozenset(available_timezones())

MAX_TEXT = 255


@dataclass(frozen=True, slots=True)
class ScheduleText:
    """When it applies, whether that is now, and when that changes: None if not within some days."""

    words: str
    applies: bool
    changes_at: datetime | None
    days: int = LOOKED_AHEAD_DAYS


def schedule_text(text: str) -> ScheduleText | None:
    """What a recurrence means; None for none, and for one that the proxy does not take or crashes over."""
    if not text.strip():
        return None
    expression = parse_timerec(text.encode().decode("latin-1"))
    if isinstance(expression, InvalidRecurrence) or expression.can_crash:
        return None
    applies, change = next_change(expression, int(timezone.now().timestamp()))
    changes_at = datetime.fromtimestamp(change, UTC) if change is not None else None
    return ScheduleText(in_words(expression), applies, changes_at)


def short_words(text: str) -> str:
    """When it applies, for a list; the text itself where it does not parse."""
    expression = parse_timerec(text.encode().decode("latin-1"))
    return text if isinstance(expression, InvalidRecurrence) else in_words(expression)


class ScheduleForm(forms.Form):
    """Weekdays, times, dates, days of the month, months and the zone."""

    weekdays = forms.TypedMultipleChoiceField(
        label="On", choices=_WEEKDAYS, coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )
    begins = forms.TimeField(label="From", widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    ends = forms.TimeField(
        label="To",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text="00:00 is midnight. Earlier than From: the next day.",
    )
    start = forms.DateField(label="Starts on", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Blank: no end.",
    )
    zone = forms.CharField(
        label="Time zone",
        required=False,
        max_length=64,
        help_text="Example: Europe/Berlin. Blank: the proxy's zone.",
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )
    monthdays = forms.CharField(
        label="Days of the month",
        required=False,
        max_length=100,
        help_text="Example: 1, 24-26, last. Blank: every day.",
    )
    months = forms.TypedMultipleChoiceField(
        label="Months", choices=_MONTHS, coerce=int, required=False, widget=forms.CheckboxSelectMultiple
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
            raise forms.ValidationError("Unknown time zone: the proxy would use UTC.")
        return zone

    def clean_monthdays(self) -> frozenset[int]:
        """The days: 1 to 31, and -1 for the last."""
        days: set[int] = set()
        for part in filter(None, map(str.strip, self.cleaned_data["monthdays"].split(","))):
            found = _MONTHDAYS.fullmatch(part)
            if found is None:
                raise forms.ValidationError(f"{part} is not a day, a range of days or “last”.")
            if found["end"]:
                days.add(-1)
                continue
            first, last = int(found["first"]), int(found["last"] or found["first"])
            if not 1 <= first <= last <= _LONGEST_MONTH:
                raise forms.ValidationError(f"{part}: days are 1 to 31.")
            days.update(range(first, last + 1))
        return frozenset(days)

    def clean(self) -> dict[str, Any]:
        """Keep the text for it, or add an error to the field that fits none."""
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


@require_POST
@permission_required("efcp.view", raise_exception=True)
def words(request: HttpRequest) -> HttpResponse:
    """What a recurrence means, as it is typed; nothing where it does not parse: its field says that."""
    text = request.POST.get("timerec", "")
    return render(
        request,
        "dialplan/schedule_words.html",
        {"schedule": schedule_text(text) if len(text) <= MAX_TEXT else None},
    )


@require_safe
@permission_required("efcp.view", raise_exception=True)
def schedule(request: HttpRequest) -> HttpResponse:
    """Write a recurrence; `?rule=` or `?dpid=` say for which rule, or where a new one is to be added."""
    is_filled = "begins" in request.GET
    form = ScheduleForm(request.GET if is_filled else None, initial=ScheduleForm.defaults())
    rule = integer(request.GET.get("rule"), 1, MAX_INT)
    dpid = integer(request.GET.get("dpid"), 0, MAX_INT)
    context: dict[str, object] = {"form": form, "rule": rule, "dpid": dpid, "zones": zones()}
    if is_filled and form.is_valid():
        text = form.cleaned_data["text"]
        carried = {"timerec": text} | ({"dpid": dpid} if dpid is not None else {})
        context |= {"text": text, "schedule": schedule_text(text), "carried": urlencode(carried)}
    return render(
        request, "dialplan/schedule.html", context, status=422 if is_filled and form.errors else 200
    )
