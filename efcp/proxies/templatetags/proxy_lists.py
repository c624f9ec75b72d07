"""`{% silent watched as name %}`: the proxies of whose memory nothing is known now."""

from django import template

from efcp.proxies.selectors import silent_proxies

register = template.Library()
register.simple_tag(silent_proxies, name="silent")
