"""`{% age moment %}`: how long ago a moment was, as an element that a script lets grow."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from efcp.proxies.ages import in_words

register = template.Library()


@register.simple_tag
def age(moment: datetime) -> SafeString:
    """How long ago `moment` was, without "ago"."""
    return format_html(
        '<time datetime="{}" data-show="age">{}</time>', moment.isoformat(), in_words(timezone.now() - moment)
    )
