"""Choosing proxies in a form."""

from collections.abc import Sequence
from typing import Any

from django import forms

from efcp.proxies.models import Proxy
from efcp.proxies.selectors import WatchedProxy, proxies_for_all


class ProxiesField(forms.MultipleChoiceField):
    """Some of `watched`; its value is a list of proxies, in the order in which they are offered.

    Chosen to begin with are those that "all proxies" means.
    """

    def __init__(self, watched: Sequence[WatchedProxy]) -> None:
        self._proxies = {str(each.proxy.pk): each.proxy for each in watched}
        for_all = {str(proxy.pk) for proxy in proxies_for_all()}
        super().__init__(
            choices=[(str(each.proxy.pk), _label(each)) for each in watched],
            initial=[pk for pk in self._proxies if pk in for_all],
            widget=forms.CheckboxSelectMultiple,
            error_messages={"required": "Select at least one proxy."},
        )

    def clean(self, value: Any) -> list[Proxy]:
        """The chosen proxies; raise ValidationError for none, and for one that is not offered."""
        chosen = set(super().clean(value))
        return [proxy for pk, proxy in self._proxies.items() if pk in chosen]


def _label(each: WatchedProxy) -> str:
    sandbox = " (sandbox, carries no calls)" if each.proxy.is_sandbox else ""
    cluster = f" · cluster {each.proxy.cluster}" if each.proxy.cluster else ""
    silent = "" if each.fresh else f" — {each.words}"
    return f"{each.proxy.name}{sandbox}{cluster}{silent}"
