"""Widgets that are written without templates are what Django's templates make of them."""

from typing import Any

import pytest
from django import forms
from django.forms.renderers import TemplatesSetting
from django.utils.safestring import mark_safe
from hypothesis import given, settings
from hypothesis import strategies as st

from efcp.forms import FieldRenderer

SAFE = st.sampled_from([mark_safe("&amp;"), "{{ x }}"])
TEXTS = st.text(st.sampled_from("ab<>&\"' é{}%\n"), max_size=6) | SAFE
VALUES = st.none() | st.booleans() | st.integers(-2000, 2000) | st.floats(allow_nan=False) | TEXTS
ATTRIBUTES = st.dictionaries(st.sampled_from(["id", "hx-post", "required", "a<"]), VALUES, max_size=4)
WIDGETS = (
    forms.TextInput,
    forms.NumberInput,
    forms.HiddenInput,
    forms.EmailInput,
    forms.PasswordInput,
    forms.CheckboxInput,
)


def both(widget: forms.Widget, value: Any) -> tuple[str, str]:
    """What the panel's renderer and Django's write."""
    ours = widget.render("na<me", value, renderer=FieldRenderer())
    return ours, widget.render("na<me", value, renderer=TemplatesSetting())


@pytest.mark.parametrize("kind", WIDGETS)
@settings(max_examples=30)
@given(value=VALUES, attributes=ATTRIBUTES)
def test_an_input_is_written_as_djangos_template_writes_it(
    kind: type[forms.Widget], value: Any, attributes: dict[str, Any]
) -> None:
    ours, djangos = both(kind(attributes), value)
    assert ours == djangos


@settings(max_examples=50)
@given(
    choices=st.lists(
        st.tuples(VALUES, TEXTS) | st.tuples(TEXTS, st.lists(st.tuples(VALUES, TEXTS), max_size=3)),
        max_size=4,
    ),
    value=VALUES,
    attributes=ATTRIBUTES,
)
def test_a_select_is_written_as_djangos_template_writes_it(
    choices: list[Any], value: Any, attributes: dict[str, Any]
) -> None:
    ours, djangos = both(forms.Select(attributes, choices), value)
    assert ours == djangos


def test_a_widget_of_another_kind_keeps_its_template() -> None:
    ours, djangos = both(forms.Textarea(), "<a>")
    assert ours == djangos
