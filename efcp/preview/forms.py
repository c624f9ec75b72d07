"""What the preview forms share: the choice of a source, the algorithms, and defaults for a bare URL."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from dispatcher.routing.selection import Algorithm
from efcp.preview.sources import Source

MAX_SET = 2**31 - 1

ALGORITHMS: dict[int, str] = {
    Algorithm.CALL_ID: "0 · hash of the Call-ID",
    Algorithm.FROM_URI: "1 · hash of the From URI",
    Algorithm.TO_URI: "2 · hash of the To URI",
    Algorithm.REQUEST_URI: "3 · hash of the request URI",
    Algorithm.ROUND_ROBIN: "4 · round robin",
    Algorithm.AUTH_USER: "5 · hash of the auth user",
    Algorithm.RANDOM: "6 · random",
    Algorithm.HASH_VARIABLE: "7 · hash of hash_pvar",
    Algorithm.FIRST: "8 · first entry (priority)",
    Algorithm.LOAD: "9 · least load",
    Algorithm.SCORE: "10 · lowest score (algo_route)",
}


class SourceForm(forms.Form):
    """A form that asks for one of the sources in `offered`."""

    def __init__(self, data: Mapping[str, Any] | None, offered: Sequence[Source], **options: Any) -> None:
        super().__init__(data, **options)
        self._offered = {each.key: each for each in offered}
        self.fields["source"] = self.source_field([(each.key, each.name) for each in offered])

    def source_field(self, choices: Sequence[tuple[str, str]]) -> forms.ChoiceField:
        """The field that offers `choices`, pairs of a source's key and name."""
        return forms.ChoiceField(
            choices=choices,
            label="By",
            error_messages={"invalid_choice": "%(value)s no longer exists."},
        )

    def source(self) -> Source:
        """The chosen table or memory."""
        return self._offered[self.cleaned_data["source"]]


def with_defaults(query: QueryDict, defaults: Mapping[str, str]) -> QueryDict:
    """`query` with `defaults` for the parameters it lacks; an empty one stays empty."""
    filled = query.copy()
    for name, value in defaults.items():
        filled.setdefault(name, value)
    return filled
