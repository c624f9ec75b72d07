"""How every form of the panel is rendered and answered."""

from typing import Any

from django.forms import BaseForm
from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


class FieldRenderer(TemplatesSetting):
    """Renders every field of every form by one template: label, widget, help, errors and warnings."""

    field_template_name = "field.html"


def form_page(request: HttpRequest, template: str, form: BaseForm, **context: Any) -> HttpResponse:
    """The page of a form: 409 where the form is `stale`, 422 where it is invalid, else 200."""
    status = 409 if context.get("stale") else 422 if form.errors else 200
    return render(request, template, {"form": form, **context}, status=status)
