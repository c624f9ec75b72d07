"""The dispatcher's forms: text in, typed values out, with errors and warnings at each field."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django import forms
from django.http import QueryDict
from django.urls import reverse

from dispatcher import seen
from dispatcher.models import Destination, InitialState, ProbeMode
from dispatcher.routing.rows import DestinationRow
from dispatcher.secrets import is_masked
from dispatcher.seen import as_initial
from dispatcher.validation import FormEnvironment, check, duplicate_text
from efcp.editing.fields import CheckedForm, ExactTextField

MAX_INT = 2**31 - 1


class DestinationForm(CheckedForm):
    """The eight fields of the old panel under their column names, and `priority` under "more"."""

    setid = forms.IntegerField(
        label="Set",
        min_value=0,
        max_value=MAX_INT,
        help_text="The group that a route selects from: the first argument of ds_select_dst.",
    )
    destination = ExactTextField(
        label="Destination",
        max_length=192,
        help_text="Such as sip:10.0.0.1:5060. For a name without a port the proxy looks up NAPTR and SRV.",
    )
    socket = ExactTextField(
        label="Socket",
        max_length=128,
        required=False,
        help_text="The proxy's listener to send from, such as udp:10.0.0.2:5060. Empty: it chooses.",
    )
    state = forms.TypedChoiceField(
        label="Initial state",
        choices=InitialState.choices,
        coerce=int,
        help_text="What a proxy starts with for a destination that it does not hold yet.",
    )
    weight = ExactTextField(
        label="Weight",
        max_length=64,
        help_text="0 to 65535, beside the set's other weights. Or the fs:// URL of a FreeSWITCH.",
    )
    attrs = ExactTextField(
        label="Attributes",
        max_length=128,
        required=False,
        help_text="Text that the script gets with the destination (attrs_avp).",
    )
    probe_mode = forms.TypedChoiceField(
        label="Probing",
        choices=ProbeMode.choices,
        coerce=int,
        help_text="Whether OPTIONS are sent always, or only while the destination is in state probing.",
    )
    description = ExactTextField(label="Description", max_length=64, required=False)
    priority = forms.IntegerField(
        label="Priority",
        min_value=0,
        max_value=65535,
        help_text="Within the set, the higher comes first in the order of destinations.",
    )
    reason = forms.CharField(
        label="Reason", max_length=255, required=False, help_text="Kept with the change in the audit."
    )
    unknown_name_is_meant = forms.BooleanField(
        label="Save although the name is not known here (split DNS)", required=False
    )
    original = forms.CharField(widget=forms.HiddenInput, required=False)

    CHECKED_FIELDS = (
        "setid",
        "destination",
        "weight",
        "socket",
        "state",
        "probe_mode",
        "attrs",
        "description",
        "priority",
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        environment: FormEnvironment | None = None,
        row: Destination | None = None,
        notice: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(data, **kwargs)
        self.environment = environment
        self.row = row
        self.notice = notice
        self.name_is_unknown = False
        self._check_while_typing()

    def _check_while_typing(self) -> None:
        """Have each field ask for its findings as it is typed."""
        address = reverse("dispatcher:check") + (f"?row={self.row.pk}" if self.row else "")
        self.check_while_typing(self.CHECKED_FIELDS, address)
        self.fields["socket"].widget.attrs["list"] = "known-sockets"
        if not self.is_bound:
            self.fields["destination"].widget.attrs["autofocus"] = True

    @classmethod
    def to_add(cls, initial: Mapping[str, Any], typed: QueryDict | None = None) -> "DestinationForm":
        """The empty form, with `initial` filled in; or what was typed before the session expired."""
        defaults = {"setid": 1, "state": 0, "weight": "1", "probe_mode": 0, "priority": 0}
        return cls(initial=defaults | dict(initial) | _typed(typed), notice=cls.notice_of(typed))

    @classmethod
    def to_edit(cls, row: Destination, typed: QueryDict | None = None) -> "DestinationForm":
        """The form filled with a row; what the editor sees is kept, to guard the update."""
        return cls(
            initial=as_initial(DestinationRow.of(row)) | _typed(typed), row=row, notice=cls.notice_of(typed)
        )

    @classmethod
    def to_clone(cls, row: Destination) -> "DestinationForm":
        """The form to add a row with the values of another."""
        initial = as_initial(DestinationRow.of(row))
        del initial["original"]
        return cls(
            initial=initial, notice="These are the values of another destination. Change what differs."
        )

    @classmethod
    def to_restore(cls, before: Mapping[str, Any], row: Destination | None) -> "DestinationForm":
        """The form filled with former values, to edit `row`, or to add it again where it is gone."""
        initial = (as_initial(DestinationRow.of(row)) if row else {}) | {
            name: value for name, value in before.items() if name in cls.base_fields
        }
        notice = "These are the former values. Nothing is saved yet."
        if is_masked(str(before.get("weight", ""))):
            initial["weight"] = row.weight if row else ""
            notice += " The password in the weight is not kept in the audit."
        return cls(initial=initial, row=row, notice=notice)

    @classmethod
    def posted(
        cls, data: QueryDict, environment: FormEnvironment, row: Destination | None = None
    ) -> "DestinationForm":
        """The form as it was sent."""
        return cls(data, environment=environment, row=row)

    def clean(self) -> dict[str, Any]:
        """Say what the proxy would do with the row: errors stop the save, warnings do not."""
        if self.environment is None:
            return self.cleaned_data
        before = asdict(self.seen()) | {"id": self.row.pk} if self.row else None
        for finding in check(self.cleaned_data, self.environment, before):
            if finding.code == "unknown-name":
                self.name_is_unknown = True
                if self.cleaned_data.get("unknown_name_is_meant"):
                    self.warnings[finding.field].append(finding)
                    continue
            self.tell(finding)
        return self.cleaned_data

    def widths(self) -> dict[str, int]:
        """How many characters the columns hold."""
        return {
            name: field.max_length
            for name, field in self.fields.items()
            if isinstance(field, ExactTextField) and field.max_length
        }

    def confirmation(self, name: str) -> forms.BoundField | None:
        """The box for a name that is not known here."""
        return self["unknown_name_is_meant"] if name == "destination" and self.name_is_unknown else None

    def values(self) -> DestinationRow:
        """The row to write, once the form is valid. An untouched NULL stays NULL."""
        data = self.cleaned_data
        before = self.seen() if self.row is not None else None
        return DestinationRow(
            setid=data["setid"],
            destination=data["destination"].rstrip(" "),
            socket=data["socket"].strip() or None,
            state=data["state"],
            weight=data["weight"].rstrip(" "),
            attrs=_text_or_untouched_null(data["attrs"], before.attrs if before else ""),
            probe_mode=data["probe_mode"],
            description=_text_or_untouched_null(data["description"], before.description if before else ""),
            priority=data["priority"],
        )

    def seen(self) -> DestinationRow:
        """The row as its editor saw it; the row as it is where the form does not tell."""
        if self.row is None:
            raise ValueError("Only a form that edits a row was seen before.")
        return seen.read(self.data.get("original", ""), self.row)

    def has_signed_original(self) -> bool:
        """Whether the form tells what its editor saw: one of another version of the panel does not."""
        return seen.is_signed(self.data.get("original", ""))

    def renew_original(self, current: DestinationRow) -> None:
        """Let the next save be guarded by `current`, which its editor has now seen."""
        data = self.data.dict() if isinstance(self.data, QueryDict) else self.data
        self.data = {**data, "original": seen.sign(current)}

    def why(self) -> str:
        """Why the change is made, if it was said."""
        return str(self.cleaned_data["reason"])

    def add_duplicate_error(self, other_id: int) -> None:
        """Say that another row has the same set and URI."""
        self.add_error("destination", duplicate_text(other_id))


def _typed(typed: QueryDict | None) -> dict[str, str]:
    return typed.dict() if typed else {}  # type: ignore[return-value]


def _text_or_untouched_null(text: str, before: str | None) -> str | None:
    return None if text == "" and before is None else text


class DeleteForm(forms.Form):
    """The question before a row is deleted."""

    reason = forms.CharField(label="Reason", max_length=255, required=False)
    original = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, *, row: Destination) -> None:
        super().__init__(data, initial={"original": seen.sign(DestinationRow.of(row))})
        self.row = row

    def has_signed_original(self) -> bool:
        """Whether the form tells what its editor saw."""
        return seen.is_signed(self.data.get("original", ""))

    def seen(self) -> DestinationRow:
        """The row as it was when the question was asked."""
        return seen.read(self.data.get("original", ""), self.row)


class SetNameForm(forms.Form):
    """The name of a set; empty takes it away."""

    name = forms.CharField(label="Name", max_length=64, required=False)
