"""`{% age at %}`, `{% moment at %}`, `{{ count|grouped }}`: ages, times on the user's own clock, numbers."""

from datetime import UTC, datetime
from functools import lru_cache

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from efcp import clock, figures
from efcp.clock import in_words

register = template.Library()
register.filter("grouped", figures.grouped)


@register.simple_tag
def age(at: datetime) -> SafeString:
    """How long ago `at` was, without "ago", as an element that a script lets grow; its title says when."""
    start = _age_start(at, timezone.get_current_timezone_name())
    return mark_safe(f"{start}{in_words(timezone.now() - at)}</time>")  # noqa: S308 - a number and its unit


@lru_cache(maxsize=4096)
def _age_start(at: datetime, _zone: str) -> SafeString:
    """What does not change of an age in a zone, which is the current one; lists show hundreds."""
    return format_html(
        '<time datetime="{}" data-show="age" title="{}">',
        at.isoformat(),
        clock.moment_text(at),
    )


@register.simple_tag
def moment(at: datetime, precision: str = "seconds") -> SafeString:
    """When it was, or will be, to the second or (`"minutes"`) the minute; the title says it in UTC."""
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        at.isoformat(),
        f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        clock.moment_text(at, seconds=precision == "seconds"),
    )


@register.simple_tag
def zone() -> str:
    """The user's time zone, for the label of an input: "Europe/Berlin (CET)"."""
    return clock.zone_in_full()
