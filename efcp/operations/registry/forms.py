"""The form of a proxy: text in, values out. The stored password is never part of what it shows."""

from dataclasses import asdict, fields
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict

from efcp.mi import MAX_PEM, Endpoint, EndpointError, certificates_in
from efcp.mi.endpoint import Reach
from efcp.operations.registry.services import ProxyValues
from efcp.proxies.mi_password import UnreadablePasswordError
from efcp.proxies.models import ProbingRule, Proxy, partition_charset


class ProxyForm(forms.Form):
    """Name, MI address, credentials, partition, cluster and whether the proxy is enabled."""

    name = forms.CharField(max_length=64, help_text="A name for the panel, such as edge-1.")
    mi_url = forms.CharField(
        max_length=255, label="MI address", help_text="Example: http://127.0.0.1:8888/mi, or https://…"
    )
    mi_username = forms.CharField(
        max_length=64,
        required=False,
        label="MI user name",
        help_text="Only if MI requires authentication.",
    )
    mi_password = forms.CharField(
        max_length=128,
        required=False,
        strip=False,
        label="MI password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    remove_password = forms.BooleanField(required=False, label="Remove stored password")
    mi_authority = forms.CharField(
        max_length=MAX_PEM,
        required=False,
        label="CA certificate",
        help_text="PEM. Only for an https address with a certificate from a private CA. "
        "Blank: the system's CAs.",
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )
    partition = forms.CharField(
        max_length=64,
        validators=[partition_charset],
        help_text="The dispatcher module's partition; “default” unless opensips.cfg defines others.",
    )
    cluster = forms.CharField(
        max_length=64,
        required=False,
        help_text="Only where the dispatcher module has a cluster_id: one name for all its members. "
        "A state is then set through one of them and read back from all.",
    )
    probing = forms.ChoiceField(
        choices=ProbingRule.choices,
        required=False,
        label="Probed active destinations",
        help_text="MI doesn't report ds_probing_mode and ds_ping_interval: choose what opensips.cfg has. "
        "Without it, most destinations are shown as active with “probing unknown”.",
    )
    enabled = forms.BooleanField(required=False)

    def __init__(self, data: Any = None, *, proxy: Proxy | None = None, initial: Any = None) -> None:
        start = {"partition": "default", "enabled": True, "mi_url": "http://127.0.0.1:8888/mi"}
        if proxy is not None:
            start = asdict(ProxyValues.of(proxy))
        super().__init__(data, initial={**start, **(initial or {})})
        self.proxy = proxy
        if proxy is not None and proxy.has_mi_password:
            self.fields["mi_password"].help_text = "Stored. Leave blank to keep it."

    @classmethod
    def filled(cls, recovered: QueryDict | None, proxy: Proxy | None = None) -> "ProxyForm":
        """The form to begin with; with the values `recovered` from an ended session, if any."""
        if recovered is None:
            return cls(proxy=proxy)
        return cls(proxy=proxy, initial={**recovered.dict(), "enabled": "enabled" in recovered})

    def values(self) -> ProxyValues:
        """The valid form's values."""
        return ProxyValues(**{each.name: self.cleaned_data[each.name] for each in fields(ProxyValues)})

    def password(self) -> str | None:
        """The password to store: None keeps the stored one, an empty one removes it."""
        if self.cleaned_data["remove_password"]:
            return ""
        return self.cleaned_data["mi_password"] or None

    def endpoint(self) -> Endpoint:
        """Where the valid form says that MI is, with the stored password if the form keeps it."""
        cleaned = self.cleaned_data
        return Endpoint.parse(
            cleaned["mi_url"],
            cleaned["mi_username"],
            self._effective_password(),
            Reach(settings.PROXY_NETWORKS),
            cleaned.get("mi_authority", ""),
        )

    def clean_mi_url(self) -> str:
        """The address without blanks around it, if MI can be asked there."""
        text: str = self.cleaned_data["mi_url"]
        try:
            return Endpoint.parse(text, reach=Reach(settings.PROXY_NETWORKS)).url
        except EndpointError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_mi_authority(self) -> str:
        """The certificates without what stands around them."""
        text: str = self.cleaned_data["mi_authority"]
        if not text:
            return ""
        try:
            return certificates_in(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> None:
        """Credentials that basic auth can't carry, and a password that was stored for another host."""
        if {"mi_url", "mi_username", "mi_password"} - self.cleaned_data.keys():
            return
        if self.cleaned_data["mi_password"] and self.cleaned_data["remove_password"]:
            self.add_error("remove_password", "Enter a new password or remove the stored one, not both.")
            return
        if self.cleaned_data.get("mi_authority") and self.cleaned_data["mi_url"].startswith("http:"):
            self.add_error("mi_authority", "Only an https address has a certificate.")
        try:
            self.endpoint()
        except EndpointError as error:
            self.add_error("mi_username", str(error))
        except UnreadablePasswordError:
            self.add_error(
                "mi_password",
                "The stored password can't be decrypted with EFCP_SECRET_KEY: enter it again.",
            )
            return
        if self._would_send_password_elsewhere():
            self.add_error(
                "mi_password",
                "The host or port has changed. Enter the password again, or remove it.",
            )

    def _effective_password(self) -> str:
        given = self.password()
        if given is not None:
            return given
        return self.proxy.mi_password() if self.proxy else ""

    def _would_send_password_elsewhere(self) -> bool:
        """Whether a password that nobody here may read would be sent to a host that it was not stored for."""
        if self.proxy is None or not self.proxy.has_mi_password or self.password() is not None:
            return False
        try:
            stored = Endpoint.parse(self.proxy.mi_url)
        except EndpointError:
            return True
        edited = Endpoint.parse(self.cleaned_data["mi_url"])
        return (stored.host, stored.port, stored.tls) != (edited.host, edited.port, edited.tls)
