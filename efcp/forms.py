"""How every form of the panel is rendered and answered."""

from typing import Any

from django.forms import BaseForm
from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.safestring import SafeData


class FieldRenderer(TemplatesSetting):
    """Renders every field of every form by one template: label, widget, help, errors and warnings.

    The widgets of most fields are written without Django's templates, which took a third of a form's time.
    """

    field_template_name = "field.html"

    def render(self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None) -> str:
        """The template's text, the same as Django's own."""
        write = _WRITERS.get(template_name)
        return write(context["widget"]) if write else str(super().render(template_name, context, request))


def _input(widget: dict[str, Any]) -> str:
    value = "" if widget["value"] is None else f' value="{_text(widget["value"])}"'
    start = f'<input type="{_text(widget["type"])}" name="{_text(widget["name"])}"{value}'
    return f"{start}{_attributes(widget)}>"


def _select(widget: dict[str, Any]) -> str:
    lines = [f'<select name="{_text(widget["name"])}"{_attributes(widget)}>']
    for group, options, _number in widget["optgroups"]:
        lines += [f'  <optgroup label="{_text(group)}">'] if group else []
        lines += [f"  {_option(option)}" for option in options]
        lines += ["  </optgroup>"] if group else []
    return "\n".join([*lines, "</select>"])


def _option(widget: dict[str, Any]) -> str:
    start = f'<option value="{_text(widget["value"])}"{_attributes(widget)}>'
    return f"{start}{_text(widget['label'])}</option>\n"


def _attributes(widget: dict[str, Any]) -> str:
    """What stands between the name and the end of a tag, each attribute behind a space."""
    return "".join(
        f" {_text(name)}" if value is True else f' {_text(name)}="{_text(value)}"'
        for name, value in widget["attrs"].items()
        if value is not False
    )


def _text(value: object) -> str:
    return str(value) if isinstance(value, SafeData) else escape(str(value))


_WRITERS = {
    f"django/forms/widgets/{name}.html": write
    for name, write in (
        *((kind, _input) for kind in ("text", "number", "hidden", "email", "password", "checkbox")),
        ("select", _select),
    )
}
"""By the name of Django's template, what writes the same."""


def form_page(request: HttpRequest, template: str, form: BaseForm, **context: Any) -> HttpResponse:
    """The page of a form: 409 where the form is `stale`, 422 where it is invalid, else 200."""
    status = 409 if context.get("stale") else 422 if form.errors else 200
    return render(request, template, {"form": form, **context}, status=status)
