"""What the preview forms share: the choice of a source, the algorithms, and defaults for a bare URL."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from dispatcher.routing.selection import Algorithm
from dispatcher.templatetags.sets import NAMED_SETS
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


ALGORITHM_HELP: dict[int, str] = {
    Algorithm.CALL_ID: "Spreads calls by weight; all requests of a call go to the same destination.",
    Algorithm.FROM_URI: "The same caller always gets the same destination.",
    Algorithm.TO_URI: "The same To address always gets the same destination.",
    Algorithm.REQUEST_URI: "The same dialled address always gets the same destination.",
    Algorithm.ROUND_ROBIN: "Destinations take turns, each as often in a row as its weight.",
    Algorithm.AUTH_USER: "The same authenticated user always gets the same destination.",
    Algorithm.RANDOM: "A random destination per call, by weight.",
    Algorithm.HASH_VARIABLE: "The same value of the variable in hash_pvar always gets the same destination.",
    Algorithm.FIRST: "The first active destination takes all calls; the others are for failover.",
    Algorithm.LOAD: "The destination with the lowest load, from pvar_algo_pattern or FreeSWITCH.",
    Algorithm.SCORE: "The destination with the lowest score that the route in algo_route returns.",
}
"""A sentence on each algorithm."""

FLAG_CHOICES = (
    ("f", "f · failover: keep the other destinations for ds_next_dst"),
    ("u", "u · hash only the user part of a URI"),
    ("d", "d · the last destination is the default, used when no other is active"),
    ("a", "a · append to the destinations selected before"),
)


class FlagsInput(forms.CheckboxSelectMultiple):
    """The flags of ds_select_dst as boxes; the value is their letters in one text, as a script has them."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """The letters of every parameter of this name, together; a plain mapping holds one text."""
        return "".join(data.getlist(name) if isinstance(data, MultiValueDict) else data.get(name) or "")

    def format_value(self, value: Any) -> list[str]:
        """The letters one by one, each the value of a box."""
        return list(value or "")


class SourceForm(forms.Form):
    """A form that asks for one of the sources in `offered`."""

    def __init__(self, data: Mapping[str, Any] | None, offered: Sequence[Source], **options: Any) -> None:
        super().__init__(data, **options)
        if "setid" in self.fields:
            self.fields["setid"].widget.attrs["list"] = NAMED_SETS
        self._offered = {each.key: each for each in offered}
        self.fields["source"] = self.source_field([(each.key, each.name) for each in offered])

    def source_field(self, choices: Sequence[tuple[str, str]]) -> forms.ChoiceField:
        """The field that offers `choices`, pairs of a source's key and name."""
        return forms.ChoiceField(
            choices=choices,
            label="Source",
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
