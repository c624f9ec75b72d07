"""The question before a spread."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from dispatcher.routing.selection import Algorithm, SelectFlag
from efcp.preview.sources import Source
from efcp.preview.spread.edits import GONE, STATES, UnsavedEdit
from efcp.preview.spread.fields import FIELD_OF, LABELS, Field, Reading
from efcp.preview.spread.question import ALGORITHMS, Question

DEFAULT_CALLS = 10_000
MAX_CALLS = 200_000
MAX_SET = 2**31 - 1
MAX_SEED = 2**32 - 1

_FLAGS = {"u": SelectFlag.USER_ONLY, "d": SelectFlag.LAST_IS_DEFAULT}
_GOES_BY_THE_RUNNING_PROXY = {str(int(each)) for each in (Algorithm.LOAD, Algorithm.SCORE)}


class AlgorithmField(forms.ChoiceField):
    """An algorithm whose spread can be foretold."""

    def __init__(self) -> None:
        super().__init__(choices=[(int(number), label) for number, label in ALGORITHMS.items()])

    def validate(self, value: str) -> None:
        """Say of another number what a proxy does with it."""
        if value in _GOES_BY_THE_RUNNING_PROXY:
            raise forms.ValidationError(
                f"Algorithm {value} goes by values of the running proxy, which are not known here."
            )
        if value and not self.valid_value(value):
            raise forms.ValidationError(
                f"There is no algorithm {value!r}: proxies take an unknown one as 8, the first entry."
            )
        super().validate(value)


class SourcesField(forms.MultipleChoiceField):
    """Which of the tables and memories stand side by side."""

    def __init__(self, offered: Sequence[Source]) -> None:
        super().__init__(
            choices=[(each.key, each.name) for each in offered],
            label="Side by side",
            widget=forms.CheckboxSelectMultiple,
            error_messages={
                "required": "Choose a table or a proxy's memory.",
                "invalid_choice": "%(value)s is not there (any more).",
            },
        )


class QuestionForm(forms.Form):
    """Set, algorithm, flags and sources, and an edit that is counted beside them."""

    setid = forms.IntegerField(label="Set", min_value=0, max_value=MAX_SET)
    algorithm = AlgorithmField()
    flags = forms.MultipleChoiceField(
        choices=[("u", "u · hash the user of a URI only"), ("d", "d · the last one is the default")],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "%(value)s changes nothing for a spread; u and d do."},
    )
    edit_uri = forms.CharField(
        label="Destination",
        required=False,
        max_length=192,
        help_text="One of the set, or a new one: it is counted beside the others, and not saved.",
    )
    edit_weight = forms.IntegerField(label="With the weight", required=False, min_value=0, max_value=65_535)
    edit_state = forms.ChoiceField(
        label="And",
        required=False,
        choices=[
            ("", "its state"),
            *((state, f"initially {state}, where a proxy does not hold it") for state in STATES),
            (GONE, "taken out"),
        ],
    )

    def __init__(self, data: Mapping[str, Any] | None, offered: Sequence[Source], **options: Any) -> None:
        super().__init__(data, **options)
        self._offered = {each.key: each for each in offered}
        self.fields["source"] = SourcesField(offered)

    def question(self) -> Question:
        """The arguments of ds_select_dst, and the edit that is not saved."""
        given = self.cleaned_data
        flags = SelectFlag.NONE
        for letter in given["flags"]:
            flags |= _FLAGS[letter]
        return Question(given["setid"], Algorithm(int(given["algorithm"])), flags, self._edit())

    def _edit(self) -> UnsavedEdit | None:
        given = self.cleaned_data
        if not given["edit_uri"]:
            return None
        weight = "" if given["edit_weight"] is None else str(given["edit_weight"])
        return UnsavedEdit(given["setid"], given["edit_uri"], weight, given["edit_state"])

    def sources(self) -> list[Source]:
        """The chosen sources, in the order in which they are offered."""
        return [each for key, each in self._offered.items() if key in self.cleaned_data["source"]]


class GeneratedForm(QuestionForm):
    """The question, and how many calls to make up."""

    calls = forms.IntegerField(label="Calls", min_value=1, max_value=MAX_CALLS)
    seed = forms.IntegerField(
        min_value=0, max_value=MAX_SEED, help_text="The same seed makes up the same calls."
    )


class LogForm(QuestionForm):
    """The question to an uploaded log, and which of its columns hold what."""

    has_header = forms.BooleanField(label="The first line holds the columns' names", required=False)

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
        """Refuse a question whose algorithm hashes what no column holds."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "algorithm" in cleaned:
            hashed = FIELD_OF.get(Algorithm(int(cleaned["algorithm"])))
            if hashed and hashed.value not in self.errors and not cleaned.get(hashed.value):
                number = cleaned["algorithm"]
                self.add_error(hashed.value, f"Algorithm {number} goes by it: choose its column.")
        return cleaned

    def reading(self) -> Reading:
        """How the log is to be read."""
        chosen = {field: self.cleaned_data[field.value] for field in Field}
        columns = {field: int(index) for field, index in chosen.items() if index}
        return Reading(columns, self.cleaned_data["has_header"])

    def column_fields(self) -> list[forms.BoundField]:
        """The fields that choose columns."""
        return [self[field.value] for field in Field]
