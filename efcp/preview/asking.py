"""What the forms of the previews have in common: the choice of a source, and defaults for a bare address."""

from collections.abc import Mapping, Sequence

from django import forms
from django.http import QueryDict

from efcp.preview.sources import Source


class SourceField(forms.ChoiceField):
    """One of the tables and memories."""

    def __init__(self, offered: Sequence[Source]) -> None:
        super().__init__(
            choices=[(each.key, each.name) for each in offered],
            label="By",
            error_messages={"invalid_choice": "%(value)s is not there (any more)."},
        )


def with_defaults(typed: QueryDict, defaults: Mapping[str, str]) -> QueryDict:
    """What was typed, with `defaults` for what is left out; what is typed empty stays empty."""
    filled = typed.copy()
    for name, value in defaults.items():
        filled.setdefault(name, value)
    return filled
