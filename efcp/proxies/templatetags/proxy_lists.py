"""`{% silent watched as name %}`: the proxies of whose memory nothing is known now."""

from collections.abc import Iterable

from django import template

from efcp.proxies.selectors import WatchedProxy

register = template.Library()


@register.simple_tag
def silent(watched: Iterable[WatchedProxy]) -> list[WatchedProxy]:
    """Those that do not answer, or never did."""
    return [each for each in watched if not each.fresh]
