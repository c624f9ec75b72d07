"""The forms of a distribution: of generated calls, and of an uploaded log."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from dispatcher.routing.selection import Algorithm, SelectFlag
from efcp.preview.distribution.question import (
    COUNTABLE,
    FIELD_OF,
    LABELS,
    REMOVED,
    STATES,
    KeyField,
    LogColumns,
    SelectArguments,
    UnsavedEdit,
)
from efcp.preview.forms import ALGORITHMS, MAX_SET, SourceForm
from efcp.preview.sources import Source

DEFAULT_CALLS = 10_000
MAX_CALLS = 200_000
MAX_SEED = 2**32 - 1

_FLAGS = {"u": SelectFlag.USER_ONLY, "d": SelectFlag.LAST_IS_DEFAULT}
_NEEDS_RUNNING_PROXY = {str(int(each)) for each in (Algorithm.LOAD, Algorithm.SCORE)}


class AlgorithmField(forms.ChoiceField):
    """An algorithm whose distribution can be predicted."""

    def __init__(self) -> None:
        super().__init__(choices=[(int(number), ALGORITHMS[number]) for number in sorted(COUNTABLE)])

    def validate(self, value: str) -> None:
        """Explain what a proxy does with any other number."""
        if value in _NEEDS_RUNNING_PROXY:
            raise forms.ValidationError(
                f"Algorithm {value} uses runtime values of the proxy, which are unknown here."
            )
        if value and not self.valid_value(value):
            raise forms.ValidationError(f"Unknown algorithm {value!r}: proxies treat it as 8 (first entry).")
        super().validate(value)


class DistributionForm(SourceForm):
    """Set, algorithm, flags and sources, and an unsaved edit that is counted beside them."""

    setid = forms.IntegerField(label="Set", min_value=0, max_value=MAX_SET)
    algorithm = AlgorithmField()
    flags = forms.MultipleChoiceField(
        choices=[("u", "u · hash only the user part of a URI"), ("d", "d · last destination is the default")],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "%(value)s does not affect the distribution; only u and d do."},
    )
    edit_uri = forms.CharField(
        label="Destination",
        required=False,
        max_length=192,
        help_text="From the set, or a new one. Compared only, not saved.",
    )
    edit_weight = forms.IntegerField(label="Weight", required=False, min_value=0, max_value=65_535)
    edit_state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[
            ("", "its state"),
            *((state, f"initially {state}, if not loaded yet") for state in STATES),
            (REMOVED, "removed"),
        ],
    )

    def source_field(self, choices: Sequence[tuple[str, str]]) -> forms.ChoiceField:
        """Several sources can be compared side by side."""
        return forms.MultipleChoiceField(
            choices=choices,
            label="Compare",
            widget=forms.CheckboxSelectMultiple,
            error_messages={
                "required": "Select a table or a proxy.",
                "invalid_choice": "%(value)s no longer exists.",
            },
        )

    def question(self) -> SelectArguments:
        """The arguments of ds_select_dst, and the unsaved edit."""
        given = self.cleaned_data
        flags = SelectFlag.NONE
        for letter in given["flags"]:
            flags |= _FLAGS[letter]
        return SelectArguments(given["setid"], Algorithm(int(given["algorithm"])), flags, self._edit())

    def _edit(self) -> UnsavedEdit | None:
        given = self.cleaned_data
        if not given["edit_uri"]:
            return None
        weight = "" if given["edit_weight"] is None else str(given["edit_weight"])
        return UnsavedEdit(given["setid"], given["edit_uri"], weight, given["edit_state"])

    def sources(self) -> list[Source]:
        """The chosen sources, in the order in which they are offered."""
        return [each for key, each in self._offered.items() if key in self.cleaned_data["source"]]


class GeneratedForm(DistributionForm):
    """How many calls to generate, and their seed."""

    calls = forms.IntegerField(label="Calls", min_value=1, max_value=MAX_CALLS)
    seed = forms.IntegerField(
        min_value=0, max_value=MAX_SEED, help_text="The same seed generates the same calls."
    )


class LogForm(DistributionForm):
    """Which columns of an uploaded log hold what."""

    has_header = forms.BooleanField(label="First line is a header", required=False)

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        offered: Sequence[Source],
        columns: Sequence[str],
        **options: Any,
    ) -> None:
        super().__init__(data, offered, **options)
        choices = [
            ("", "–"),
            *((str(index), name or f"column {index + 1}") for index, name in enumerate(columns)),
        ]
        for field, label in LABELS.items():
            self.fields[field.value] = forms.ChoiceField(
                choices=choices,
                label=label,
                required=False,
                error_messages={"invalid_choice": "The log has no such column."},
            )

    def clean(self) -> dict[str, Any]:
        """Require the column that the algorithm hashes."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "algorithm" in cleaned:
            hashed = FIELD_OF.get(Algorithm(int(cleaned["algorithm"])))
            if hashed and hashed.value not in self.errors and not cleaned.get(hashed.value):
                number = cleaned["algorithm"]
                self.add_error(hashed.value, f"Required for algorithm {number}: select a column.")
        return cleaned

    def log_columns(self) -> LogColumns:
        """Which column holds which field."""
        chosen = {field: self.cleaned_data[field.value] for field in KeyField}
        columns = {field: int(index) for field, index in chosen.items() if index}
        return LogColumns(columns, self.cleaned_data["has_header"])

    def column_fields(self) -> list[forms.BoundField]:
        """The fields that choose columns."""
        return [self[field.value] for field in KeyField]
