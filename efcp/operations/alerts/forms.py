"""The form of a rule: who is notified of what, and how."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import validate_email
from django.http import QueryDict
from django.utils import timezone

from efcp.accounts.time_zones import known
from efcp.mi import Endpoint, EndpointError
from efcp.mi.endpoint import Reach
from efcp.operations.alerts.apprise_process import SCHEMES
from efcp.operations.alerts.delivery import can_send, recipients
from efcp.operations.alerts.models import AlertSeverity, Channel, Condition, NotificationRule
from efcp.operations.alerts.services import RuleValues
from efcp.proxies.mi_password import UnreadablePasswordError
from efcp.proxies.models import Proxy

LATER = (
    "min_share",
    "group_s",
    "repeat_min",
    "escalate_to",
    "escalate_min",
    "flap_changes",
    "flap_s",
    "quiet_from",
    "quiet_to",
    "quiet_days",
    "quiet_zone",
    "quiet_severity",
)
"""Fields that keep what is stored where they are not sent, or sent empty."""

WEEKDAYS = tuple(enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")))
MAX_SETS = 200
MAX_RECIPIENTS = 20
MAX_SILENT_MINUTES = 90 * 24 * 60
MIN_SECRET = 16
_MAX_INT = 2**31 - 1


def _time_input() -> forms.TimeInput:
    return forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


class AlertRuleForm(forms.Form):
    """Name, what counts, whom to notify. The stored secret is never part of what it shows."""

    name = forms.CharField(max_length=64, help_text="Used in the message subject.")
    enabled = forms.BooleanField(required=False)
    setids = forms.CharField(
        max_length=2000, required=False, label="Sets", help_text="Comma-separated set IDs; blank for all."
    )
    proxies = forms.ModelMultipleChoiceField(
        Proxy.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None selected: all proxies.",
    )
    states = forms.MultipleChoiceField(
        choices=Condition.choices,
        widget=forms.CheckboxSelectMultiple,
        label="Alert on",
        error_messages={"required": "Choose what to alert on."},
    )
    min_active = forms.IntegerField(
        min_value=1,
        max_value=10_000,
        label="Active destinations that a set needs",
        help_text="With fewer, the set counts as down: with 1, when it takes no calls.",
    )
    after_s = forms.IntegerField(
        min_value=0, max_value=86_400, label="Delay (seconds)", help_text="Time down before notifying."
    )
    min_share = forms.IntegerField(
        min_value=0,
        max_value=100,
        required=False,
        label="Share of active destinations that a set needs (%)",
        help_text="0: only their number counts.",
    )
    group_s = forms.IntegerField(
        min_value=0,
        max_value=600,
        required=False,
        label="Group (seconds)",
        help_text="What becomes due within this time is one message.",
    )
    repeat_min = forms.IntegerField(
        min_value=0,
        max_value=10_080,
        required=False,
        label="Repeat every (minutes)",
        help_text="While it lasts and nobody acknowledges it. 0: never.",
    )
    escalate_to = forms.ModelChoiceField(
        NotificationRule.objects.none(),
        required=False,
        label="Escalate to the receiver of",
        empty_label="Nobody",
        help_text="If nobody acknowledges it in time. May be a rule that is off.",
    )
    escalate_min = forms.IntegerField(
        min_value=1, max_value=10_080, required=False, label="Escalate after (minutes)"
    )
    flap_changes = forms.IntegerField(
        min_value=0,
        max_value=50,
        required=False,
        label="Flapping from (changes)",
        help_text="Then one message, and none until it is calm. 0: never.",
    )
    flap_s = forms.IntegerField(min_value=10, max_value=86_400, required=False, label="within (seconds)")
    quiet_from = forms.TimeField(required=False, label="Quiet from", widget=_time_input())
    quiet_to = forms.TimeField(required=False, label="Quiet until", widget=_time_input())
    quiet_days = forms.TypedMultipleChoiceField(
        choices=WEEKDAYS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Beginning on",
        help_text="None selected: every day.",
    )
    quiet_zone = forms.CharField(max_length=64, required=False, label="Time zone of the quiet hours")
    quiet_severity = forms.ChoiceField(
        choices=AlertSeverity.choices, required=False, label="What waits until the quiet hours end"
    )
    notify_recovery = forms.BooleanField(required=False, label="Also notify on recovery")
    channel = forms.ChoiceField(choices=Channel.choices, widget=forms.RadioSelect)
    recipients = forms.CharField(
        max_length=1000, required=False, label="E-mail to", help_text="Comma-separated addresses."
    )
    url = forms.CharField(
        max_length=255,
        required=False,
        label="Address",
        help_text="Webhook: http:// or https://. Apprise: slack://, tgram://, pagerduty:// …",
    )
    secret = forms.CharField(
        max_length=200,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Signs the webhook requests. At least 16 characters.",
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        rule: NotificationRule | None = None,
        recovered: QueryDict | None = None,
    ) -> None:
        super().__init__(data, initial=_initial(rule) | _recovered(recovered))
        self.rule = rule
        proxies = self.fields["proxies"]
        if isinstance(proxies, forms.ModelMultipleChoiceField):
            proxies.queryset = Proxy.objects.all()
        others = self.fields["escalate_to"]
        if isinstance(others, forms.ModelChoiceField):
            others.queryset = NotificationRule.objects.exclude(pk=rule.pk if rule else 0)
        if rule is not None and rule.url_encrypted:
            self.fields["url"].help_text = f"Stored: {rule.masked_url}. Leave blank to keep it."
        if rule is not None and rule.secret_encrypted:
            self.fields["secret"].help_text = "Stored. Leave blank to keep it."

    def clean_name(self) -> str:
        """A name that no other rule has."""
        name: str = self.cleaned_data["name"]
        others = NotificationRule.objects.filter(name=name)
        if self.rule is not None:
            others = others.exclude(pk=self.rule.pk)
        if others.exists():
            raise forms.ValidationError("This name is taken.")
        return name

    def clean_setids(self) -> list[int]:
        """The numbers, each once."""
        found = []
        for text in filter(None, (part.strip() for part in self.cleaned_data["setids"].split(","))):
            if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_INT):
                raise forms.ValidationError(f"“{text}” is not a set ID.")
            found.append(int(text))
        if len(found) > MAX_SETS:
            raise forms.ValidationError(f"At most {MAX_SETS} sets; leave blank for all.")
        return sorted(set(found))

    def clean_recipients(self) -> str:
        """Addresses, if any."""
        found = recipients(self.cleaned_data["recipients"])
        if len(found) > MAX_RECIPIENTS:
            raise forms.ValidationError(f"At most {MAX_RECIPIENTS} addresses.")
        for address in found:
            validate_email(address)
        return ", ".join(found)

    def clean_url(self) -> str:
        """An address that can be posted to, if any."""
        url: str = self.cleaned_data["url"].strip()
        if not url:
            return ""
        if self.cleaned_data.get("channel") == Channel.APPRISE:
            if url.partition("://")[0].lower() not in SCHEMES:
                raise forms.ValidationError(f"Must begin with one of: {', '.join(sorted(SCHEMES))}.")
            return url
        try:
            return Endpoint.parse(url, reach=Reach(settings.WEBHOOK_NETWORKS)).url
        except EndpointError as error:
            raise forms.ValidationError(str(error).replace("MI address", "webhook's address")) from error

    def clean_secret(self) -> str:
        """A new secret, if any."""
        secret: str = self.cleaned_data["secret"]
        if secret and len(secret) < MIN_SECRET:
            raise forms.ValidationError(f"At least {MIN_SECRET} characters.")
        return secret

    def clean_quiet_zone(self) -> str:
        """A zone of this machine."""
        name: str = self.cleaned_data["quiet_zone"]
        if name and known(name) is None:
            raise forms.ValidationError("This time zone is unknown.")
        return name

    def clean(self) -> None:
        """What the chosen channel needs."""
        if bool(self.cleaned_data.get("quiet_from")) != bool(self.cleaned_data.get("quiet_to")):
            self.add_error("quiet_to", "Quiet hours need both a begin and an end.")
        match self.cleaned_data.get("channel"):
            case Channel.EMAIL:
                self._need_mail()
            case Channel.WEBHOOK:
                self._need_webhook()
            case Channel.APPRISE if self.cleaned_data.get("url") == "" and not self._keeps_address:
                self.add_error("url", "Enter the address of the receiver.")

    def values(self) -> RuleValues:
        """The valid form's values; the secret is None where the stored one stays."""
        given: Mapping[str, Any] = self.cleaned_data
        return RuleValues(
            name=given["name"],
            enabled=given["enabled"],
            setids=tuple(given["setids"]),
            proxies=tuple(given["proxies"]),
            states=tuple(given["states"]),
            min_active=given["min_active"],
            after_s=given["after_s"],
            notify_recovery=given["notify_recovery"],
            channel=Channel(given["channel"]),
            recipients=given["recipients"],
            url=given["url"] or (None if self._keeps_address else ""),
            secret=given["secret"] or None,
            **{name: self._later(name) for name in LATER},
        )

    def _later(self, name: str) -> Any:
        """The typed value; where the field was not sent, or a needed one is empty, the stored one."""
        value = self.cleaned_data.get(name)
        is_optional = name in {"escalate_to", "quiet_from", "quiet_to", "quiet_days"}
        if "group_s" in self.data and (is_optional or value not in (None, "")):
            return value
        return getattr(self.rule or NotificationRule(), name)

    @property
    def _keeps_address(self) -> bool:
        """Whether a stored address stays where none is typed."""
        return self.rule is not None and bool(self.rule.url_encrypted)

    def _need_mail(self) -> None:
        if "recipients" in self.cleaned_data and not self.cleaned_data["recipients"]:
            self.add_error("recipients", "Enter at least one recipient.")
        if not can_send():
            self.add_error("channel", "E-mail is not configured: EFCP_SMTP_URL is not set.")

    def _need_webhook(self) -> None:
        url = self.cleaned_data.get("url")
        if url == "" and not self._keeps_address:
            self.add_error("url", "Enter the webhook's URL.")
        has_secret = self.rule is not None and bool(self.rule.secret_encrypted)
        if self.cleaned_data.get("secret") == "":
            if not has_secret:
                self.add_error("secret", "Enter a secret, so that the receiver can verify the sender.")
            elif url and url != _stored_address(self.rule):
                self.add_error("secret", "The URL has changed: enter the secret again.")


def _stored_address(rule: NotificationRule | None) -> str:
    """The address that is stored; empty where it can't be read any more."""
    try:
        return rule.url if rule else ""
    except UnreadablePasswordError:
        return ""


def _initial(rule: NotificationRule | None) -> dict[str, Any]:
    if rule is None:
        return {
            "enabled": True,
            "states": [Condition.PROBING, Condition.SET, Condition.PROXY],
            "min_active": 1,
            "after_s": 60,
            "notify_recovery": True,
            **{name: getattr(NotificationRule(), name) for name in LATER},
            "quiet_zone": timezone.get_current_timezone_name(),
        }
    return {
        "name": rule.name,
        "enabled": rule.enabled,
        "setids": ", ".join(str(each) for each in rule.setids),
        "proxies": [proxy.pk for proxy in rule.proxies.all()],
        "states": rule.states,
        "min_active": rule.min_active,
        "after_s": rule.after_s,
        "notify_recovery": rule.notify_recovery,
        "channel": rule.channel,
        "recipients": rule.recipients,
        **{name: getattr(rule, name) for name in LATER},
    }


def _recovered(recovered: QueryDict | None) -> dict[str, Any]:
    """What was typed before the session ended; a secret is not kept."""
    if recovered is None:
        return {}
    several: Sequence[str] = ("states", "proxies", "quiet_days")
    flags = ("enabled", "notify_recovery")
    found: dict[str, Any] = {name: recovered[name] for name in recovered if name not in (*several, "secret")}
    return (
        found
        | {name: recovered.getlist(name) for name in several}
        | {name: name in recovered for name in flags}
    )


class SilenceForm(forms.Form):
    """A scope, until when, and why."""

    proxy = forms.ModelChoiceField(Proxy.objects.none(), required=False, empty_label="All proxies")
    setid = forms.IntegerField(
        min_value=0, max_value=_MAX_INT, required=False, label="Set", help_text="Blank for all."
    )
    uri = forms.CharField(
        max_length=255, required=False, label="Destination", help_text="A URI; blank for all."
    )
    minutes = forms.IntegerField(min_value=1, max_value=MAX_SILENT_MINUTES, initial=60, label="For (minutes)")
    reason = forms.CharField(max_length=200, error_messages={"required": "Enter a reason for the others."})

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        proxies = self.fields["proxy"]
        if isinstance(proxies, forms.ModelChoiceField):
            proxies.queryset = Proxy.objects.all()
