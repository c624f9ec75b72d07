"""The dialplan's forms: text in, typed values out, with errors and warnings at each field."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from django import forms
from django.http import QueryDict
from django.urls import reverse

from dialplan import seen
from dialplan.models import MatchOperator, Rule
from dialplan.neighbours import findings_among
from dialplan.translation.rules import RuleRow
from dialplan.validation import WIDTHS, check
from efcp.editing.charsets import unstorable_characters
from efcp.editing.fields import CheckedForm, ExactTextField

MAX_INT = 2**31 - 1
CASELESS = 1


class RuleForm(CheckedForm):
    """The eight fields of the old panel under their column names; `timerec` and `disabled` under "more"."""

    dpid = forms.IntegerField(
        label="Dialplan",
        min_value=0,
        max_value=MAX_INT,
        help_text="The first argument of dp_translate.",
    )
    pr = forms.IntegerField(
        label="Priority",
        min_value=-MAX_INT - 1,
        max_value=MAX_INT,
        help_text="The smallest is tried first; equal ones come in no promised order.",
    )
    match_op = forms.TypedChoiceField(label="Match", choices=MatchOperator.choices, coerce=int)
    match_exp = ExactTextField(
        label="Match expression", help_text="A PCRE2 expression, or the whole text for an equal rule."
    )
    match_flags = forms.BooleanField(label="Case makes no difference", required=False)
    match_only = forms.BooleanField(label="Match only: nothing is replaced", required=False)
    subst_exp = ExactTextField(
        label="Substitution expression",
        required=False,
        help_text="What of the input goes into the groups \\1 to \\9.",
    )
    repl_exp = ExactTextField(
        label="Replacement", required=False, help_text="The output: text, \\1 to \\9, variables such as $rU."
    )
    attrs = ExactTextField(
        label="Attributes", required=False, help_text="Text that the script gets with the output."
    )
    timerec = ExactTextField(
        label="Time recurrence", required=False, help_text="When the rule applies; empty: always."
    )
    disabled = forms.BooleanField(label="Disabled: the proxy does not load it", required=False)
    reason = forms.CharField(
        label="Reason", max_length=255, required=False, help_text="Kept with the change in the audit."
    )
    original = forms.CharField(widget=forms.HiddenInput, required=False)

    CHECKED_FIELDS = ("dpid", "pr", "match_op", "match_exp", "subst_exp", "repl_exp", "attrs", "timerec")

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        row: Rule | None = None,
        notice: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(data, **kwargs)
        self.row = row
        self.notice = notice
        address = reverse("dialplan:check") + (f"?row={row.pk}" if row else "")
        self.check_while_typing(self.CHECKED_FIELDS, address)
        for name in WIDTHS:
            self.fields[name].widget.attrs["class"] = "mono"

    def widths(self) -> dict[str, int]:
        """How many characters the columns hold."""
        return WIDTHS

    @classmethod
    def to_add(cls, initial: Mapping[str, Any], typed: QueryDict | None = None) -> "RuleForm":
        """The empty form, with `initial` filled in; or what was typed before the session expired."""
        defaults: dict[str, Any] = {"dpid": 1, "pr": 0, "match_op": MatchOperator.REGEX.value}
        return cls(initial=defaults | dict(initial) | _typed(typed), notice=cls.notice_of(typed))

    @classmethod
    def to_edit(cls, row: Rule, typed: QueryDict | None = None) -> "RuleForm":
        """The form filled with a row; what the editor sees is kept, to guard the update."""
        values = RuleRow.of(row)
        initial = _as_initial(values) | {"original": seen.sign(values)}
        return cls(initial=initial | _typed(typed), row=row, notice=cls.notice_of(typed))

    @classmethod
    def to_clone(cls, row: Rule, priority: int) -> "RuleForm":
        """The form to add a row with the values of another, but for its priority."""
        notice = "A copy, not saved yet: change what differs. Its priority is the next free one."
        return cls(initial=_as_initial(RuleRow.of(row)) | {"pr": priority}, notice=notice)

    @classmethod
    def to_restore(cls, before: Mapping[str, Any], row: Rule | None) -> "RuleForm":
        """The form filled with former values, to edit `row`, or to add it again where it is gone."""
        known = {name: value for name, value in before.items() if name in RuleRow.__slots__}
        initial = _as_initial(RuleRow(**known))
        if row is not None:
            initial["original"] = seen.sign(RuleRow.of(row))
        return cls(initial=initial, row=row, notice="These are the former values. Nothing is saved yet.")

    def clean(self) -> dict[str, Any]:
        """Say what the proxy would do with the rule: errors stop the save, warnings do not."""
        if not {"dpid", "pr", "match_op"} <= self.cleaned_data.keys():
            return self.cleaned_data
        unstorable = partial(unstorable_characters, "dialplan")
        for finding in check(self.values(), unstorable, self.row.pk if self.row else None):
            self.tell(finding)
        if not self.errors:
            for finding in findings_among(self.values(), self.row.pk if self.row else None):
                self.tell(finding)
        return self.cleaned_data

    def values(self) -> RuleRow:
        """The row to write. An untouched NULL stays NULL, and an empty text becomes one."""
        data = self.cleaned_data
        match_only = data.get("match_only", False)
        values = RuleRow(
            dpid=data["dpid"],
            pr=data["pr"],
            match_op=data["match_op"],
            match_exp=data.get("match_exp", ""),
            match_flags=self._flags(),
            subst_exp=None if match_only else data.get("subst_exp") or None,
            repl_exp=None if match_only else data.get("repl_exp") or None,
            attrs=data.get("attrs") or None,
            timerec=data.get("timerec") or None,
            disabled=int(data.get("disabled", False)),
        )
        return self._with_untouched_empty_texts(values)

    def seen(self) -> RuleRow:
        """The row as its editor saw it; the row as it is where the form does not tell."""
        if self.row is None:
            raise ValueError("Only a form that edits a row was seen before.")
        return seen.read(self.data.get("original", ""), self.row)

    def has_signed_original(self) -> bool:
        """Whether the form tells what its editor saw: one of another version of the panel does not."""
        return seen.is_signed(self.data.get("original", ""))

    def renew_original(self, current: RuleRow) -> None:
        """Let the next save be guarded by `current`, which its editor has now seen."""
        data = self.data.dict() if isinstance(self.data, QueryDict) else self.data
        self.data = {**data, "original": seen.sign(current)}

    def why(self) -> str:
        """Why the change is made, if it was said."""
        return str(self.cleaned_data["reason"])

    def _flags(self) -> int:
        """The flags with the one that is known set or not; others that the row has stay."""
        others = self.seen().match_flags & ~CASELESS if self.row is not None else 0
        return others | (CASELESS if self.cleaned_data.get("match_flags") else 0)

    def _with_untouched_empty_texts(self, values: RuleRow) -> RuleRow:
        """An empty text that the row holds stays empty: it is no change."""
        if self.row is None:
            return values
        before = self.seen()
        kept: dict[str, Any] = {
            name: ""
            for name in ("subst_exp", "repl_exp", "attrs", "timerec")
            if getattr(values, name) is None and getattr(before, name) == ""
        }
        return replace(values, **kept)


class DeleteForm(forms.Form):
    """The question before a rule is deleted."""

    reason = forms.CharField(label="Reason", max_length=255, required=False)
    original = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Mapping[str, Any] | None = None, *, row: Rule) -> None:
        super().__init__(data, initial={"original": seen.sign(RuleRow.of(row))})
        self.row = row

    def has_signed_original(self) -> bool:
        """Whether the form tells what its editor saw."""
        return seen.is_signed(self.data.get("original", ""))

    def seen(self) -> RuleRow:
        """The row as it was when the question was asked."""
        return seen.read(self.data.get("original", ""), self.row)


class NameForm(forms.Form):
    """The name of a dialplan; empty takes it away."""

    name = forms.CharField(label="Name", max_length=64, required=False)


def _as_initial(values: RuleRow) -> dict[str, Any]:
    initial: dict[str, Any] = asdict(values)
    initial["match_flags"] = bool(values.match_flags & CASELESS)
    initial["match_only"] = not (values.subst_exp or values.repl_exp)
    initial["disabled"] = bool(values.disabled)
    return initial


def _typed(typed: QueryDict | None) -> dict[str, Any]:
    if typed is None:
        return {}
    flags = ("match_flags", "match_only", "disabled")
    return {**typed.dict(), **{name: name in typed for name in flags}}
