"""`{% named_sets %}`: the named sets as a list that a field for a set's number offers while it is typed."""

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dispatcher.table import SET_NAMES

register = template.Library()

NAMED_SETS = "named-sets"
"""The id of the list: a field's `list` names it."""


@register.simple_tag
def named_sets() -> SafeString:
    """The datalist; at most efcp.editing.names.MAX_NAMES options."""
    options = format_html_join("", '<option value="{}">{}</option>', SET_NAMES.all().items())
    return format_html('<datalist id="{}">{}</datalist>', NAMED_SETS, options)
