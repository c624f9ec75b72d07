"""The Jinja environment of the pages that people look at all day: the lists of destinations and rules.

Jinja compiles a template to Python: 30 rows take a third of the time that Django's templates take for them.
Everything else is written in Django's.
"""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any

from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from jinja2 import Environment

from efcp.figures import grouped
from efcp.proxies.selectors import silent_proxies
from efcp.proxies.templatetags import moments


def environment(**options: Any) -> Environment:
    """The environment for TEMPLATES; everything is escaped but what is marked as HTML."""
    found = Environment(**options, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - Django turns it on
    found.globals |= {
        "age": moments.age,
        "django_template": _django_template,
        "silent_proxies": silent_proxies,
        "url": _url,
    }
    found.filters |= {"grouped": grouped, "plural": _plural}
    return found


def rendered(template: str, context: dict[str, Any]) -> SafeString:
    """The HTML of a Jinja template, for a page or for a part of one that Django's templates render."""
    return mark_safe(render_to_string(template, context, using="jinja2"))  # noqa: S308 - it escapes


def _url(view: str, *arguments: Hashable) -> str:
    return _reversed(view, arguments, get_script_prefix())


@lru_cache(maxsize=1024)
def _reversed(view: str, arguments: tuple[Hashable, ...], _prefix: str) -> str:
    """The address of a view; `_prefix`, under which the panel is mounted, is in it."""
    return reverse(view, args=arguments)


def _plural(count: int, ending: str = "s", singular: str = "") -> str:
    return singular if count == 1 else ending


def _django_template(name: str, **context: Any) -> SafeString:
    """A part that other pages show too, or that is seldom shown."""
    return format_html("{}", render_to_string(name, context))
