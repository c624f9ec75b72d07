"""`{% edit_token object %}`: the hidden field with the row as its editor loaded it."""

from django import template
from django.db.models import Model
from django.http import HttpRequest
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from efcp.audit.edit_tokens import FIELD, token_of

register = template.Library()


@register.simple_tag(takes_context=True)
def edit_token(context: Context, shown: Model) -> SafeString:
    """The hidden field with the token of `shown`, for the page's one form.

    A form that is shown again with what was typed keeps the token that it came with, or a change by somebody
    else in between would go unnoticed; unless the page shows that change (`stale`).
    """
    request: HttpRequest = context["request"]
    token = "" if context.get("stale") else _former_token(request)
    return _field(token or token_of(shown))


@register.simple_tag
def row_token(shown: Model) -> SafeString:
    """The hidden field with the token of `shown`, for a button in a list."""
    return _field(token_of(shown))


def _former_token(request: HttpRequest) -> str:
    fields = getattr(request, "recovered_fields", None) or request.POST
    return str(fields.get(FIELD, ""))


def _field(token: str) -> SafeString:
    return format_html('<input type="hidden" name="{}" value="{}">', FIELD, token)
