"""The forms of signing in and of the users' pages."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any
from unicodedata import normalize

from django import forms

from efcp.accounts import time_zones
from efcp.accounts.models import Density, StartPage, Theme, User
from efcp.accounts.passwords import LONGEST_PASSWORD, password_faults
from efcp.accounts.policy import Requirements
from efcp.accounts.preferences import PAGE_SIZES, Preferences
from efcp.accounts.roles import Role
from efcp.accounts.tokens import TokenLimits, roles_up_to

LONGEST_NAME = 64


class UserNameField(forms.CharField):
    """A user's name: one line of printable characters, NFKC, so that what looks equal is equal."""

    def to_python(self, value: Any) -> str:
        """The name in the spelling in which it is stored."""
        return normalize("NFKC", super().to_python(value) or "").strip()

    def validate(self, value: str) -> None:
        """Raise ValidationError for a name that could not be shown on one line."""
        super().validate(value)
        if not value.isprintable():
            raise forms.ValidationError("A user name has only printable characters.")


class PasswordField(forms.CharField):
    """A password as it was typed; never shown again."""

    def __init__(self, *, autocomplete: str, **kwargs: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
        super().__init__(strip=False, widget=widget, **kwargs)


class SignInForm(forms.Form):
    """A name and a password. What can't be a name or a password is as wrong as any other."""

    username = forms.CharField(
        label="User name",
        max_length=1000,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    password = PasswordField(label="Password", max_length=LONGEST_PASSWORD, autocomplete="current-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        first_empty = "password" if self.data.get("username") or self.initial.get("username") else "username"
        self.fields[first_empty].widget.attrs["autofocus"] = True

    def clean_username(self) -> str:
        """The name in the spelling in which it is stored."""
        return normalize("NFKC", self.cleaned_data["username"]).strip()


class CodeForm(forms.Form):
    """A code of an authenticator app, or a recovery code."""

    code = forms.CharField(
        label="Code",
        max_length=20,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", "size": 12}
        ),
    )


class KeyForm(forms.Form):
    """A new passkey's name, and whether it is to sign in alone."""

    name = UserNameField(label="Name", max_length=40, help_text="Such as the device that keeps it.")
    alone = forms.BooleanField(label="Signs in without the password", required=False)


class PolicyForm(forms.Form):
    """What signing in takes for the users of one role."""

    needs_factor = forms.BooleanField(label="Second factor required", required=False)
    idle_minutes = forms.IntegerField(
        label="Idle limit in minutes", min_value=0, max_value=720, required=False
    )

    def chosen(self) -> Requirements:
        """What was chosen, of a valid form."""
        return Requirements(self.cleaned_data["needs_factor"], self.cleaned_data["idle_minutes"] or 0)


class ConfirmForm(forms.Form):
    """The user's password once more."""

    password = PasswordField(label="Password", max_length=LONGEST_PASSWORD, autocomplete="current-password")


class NewPasswordForm(forms.Form):
    """A new password, typed twice, judged by the policy for `user`."""

    new_password = PasswordField(
        label="New password",
        autocomplete="new-password",
        help_text="At least 10 characters. A few random words are easy to remember.",
    )
    repeated_password = PasswordField(label="Repeat new password", autocomplete="new-password")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_new_password(self) -> str:
        """The password, or every fault that the policy finds in it at once."""
        password: str = self.cleaned_data["new_password"]
        faults = password_faults(password, self.user)
        if faults:
            raise forms.ValidationError(faults)
        return password

    def clean(self) -> dict[str, Any]:
        """Both spellings must be the same."""
        cleaned = super().clean() or {}
        passwords = self.data.get("new_password"), self.data.get("repeated_password")
        if all(passwords) and passwords[0] != passwords[1]:
            self.add_error("repeated_password", "The new passwords don't match.")
        return cleaned


class OwnPasswordForm(NewPasswordForm):
    """The change of one's own password, for which the current one is asked."""

    current_password = PasswordField(
        label="Current password", max_length=LONGEST_PASSWORD, autocomplete="current-password"
    )
    field_order = ("current_password", "new_password", "repeated_password")

    def clean(self) -> dict[str, Any]:
        """The new password must be another one.

        Compared with what was typed as the current one, not with the stored hash: that would let somebody
        at an open browser guess without being slowed down.
        """
        cleaned = super().clean()
        if self.data.get("new_password") and self.data["new_password"] == self.data.get("current_password"):
            self.add_error("new_password", "This is your current password. Choose another.")
        return cleaned


class TimeZoneForm(forms.Form):
    """The zone of the user's clock; empty: the browser's."""

    def __init__(self, data: Mapping[str, Any] | None, *, user: User) -> None:
        super().__init__(data, initial={"time_zone": user.time_zone if user.time_zone_is_chosen else ""})
        browser = "the browser's zone"
        if user.time_zone and not user.time_zone_is_chosen:
            browser += f", now {user.time_zone}"
        self.fields["time_zone"] = forms.ChoiceField(
            label="Time zone",
            required=False,
            choices=[("", browser), *((name, name) for name in time_zones.names())],
            help_text="Without JavaScript the browser's time zone can't be detected: choose one.",
        )


class PreferencesForm(forms.Form):
    """A user's choices for the pages."""

    theme = forms.ChoiceField(label="Theme", choices=Theme.choices, required=False)
    density = forms.ChoiceField(
        label="Density",
        choices=Density.choices,
        required=False,
        help_text="Row height in tables.",
    )
    page_size = forms.TypedChoiceField(
        label="Rows per page", coerce=int, choices=[(size, size) for size in PAGE_SIZES]
    )
    start_page = forms.ChoiceField(
        label="Start page", choices=StartPage.choices, help_text="Opens after sign-in."
    )

    def chosen(self) -> Preferences:
        """What was chosen, of a valid form."""
        chosen = self.cleaned_data
        return Preferences(
            Theme(chosen["theme"]),
            Density(chosen["density"]),
            StartPage(chosen["start_page"]),
            chosen["page_size"],
        )


class UserForm(forms.Form):
    """A user's role, and whether they may sign in."""

    role = forms.ChoiceField(
        label="Role",
        choices=Role.choices,
        help_text="Viewers see everything. Operators also set states and reload proxies."
        " Administrators can also edit tables, proxies and users.",
    )
    is_active = forms.BooleanField(label="Can sign in", required=False)


class NewUserForm(NewPasswordForm):
    """A new user's name, role and first password."""

    username = UserNameField(
        label="User name", max_length=LONGEST_NAME, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(
        label="Role",
        choices=Role.choices,
        initial=Role.VIEWER,
        help_text=UserForm.base_fields["role"].help_text,
    )
    field_order = ("username", "role", "new_password", "repeated_password")

    def clean_username(self) -> str:
        """The name, by which the policy then judges the password."""
        username: str = self.cleaned_data["username"]
        self.user.username = username
        return username


class SetNumbersField(forms.CharField):
    """Whole numbers from 0, separated by spaces or commas; a tuple without repetition, in order."""

    def clean(self, value: Any) -> tuple[int, ...]:
        """The numbers. Raises ValidationError."""
        words = str(super().clean(value)).replace(",", " ").split()
        wrong = [word for word in words if not (word.isascii() and word.isdigit()) or int(word) >= 2**31]
        if wrong:
            raise forms.ValidationError(f"{wrong[0][:20]} is no number of a set.")
        return tuple(sorted({int(word) for word in words}))


class NetworksField(forms.CharField):
    """Addresses and networks (CIDR), separated by spaces or commas; a tuple of their texts."""

    def clean(self, value: Any) -> tuple[str, ...]:
        """The networks. Raises ValidationError."""
        found = []
        for word in str(super().clean(value)).replace(",", " ").split():
            try:
                found.append(str(ip_network(word, strict=False)))
            except ValueError:
                raise forms.ValidationError(f"{word[:50]} is no address or network.") from None
        return tuple(dict.fromkeys(found))


class TokenForm(forms.Form):
    """A new API token: what it is for, what it may do, until when."""

    name = UserNameField(
        label="Name",
        max_length=LONGEST_NAME,
        help_text="Such as the program that uses it. The audit names it beside every change.",
    )
    days = forms.TypedChoiceField(
        label="Expires",
        coerce=int,
        initial=90,
        choices=((1, "In a day"), (30, "In 30 days"), (90, "In 90 days"), (365, "In a year"), (0, "Never")),
    )
    sets = SetNumbersField(
        label="Only these sets",
        required=False,
        max_length=1000,
        help_text="Numbers, separated by commas. Empty: all sets.",
    )
    networks = NetworksField(
        label="Only from these addresses",
        required=False,
        max_length=1000,
        help_text="Addresses or networks such as 192.0.2.0/24. Empty: from anywhere.",
    )
    is_service = forms.BooleanField(label="For a service account, not for me", required=False)

    def __init__(
        self, data: Mapping[str, Any] | None, *, user: User, modules: Sequence[tuple[str, str]]
    ) -> None:
        super().__init__(data)
        roles = [(role.value, role.label) for role in roles_up_to(user.role)]
        self.fields["role"] = forms.ChoiceField(label="Role", choices=roles)
        self.fields["modules"] = forms.MultipleChoiceField(
            label="Only for", required=False, widget=forms.CheckboxSelectMultiple, choices=modules
        )
        if not user.may_administer:
            del self.fields["is_service"]

    def limits(self) -> TokenLimits:
        """What a valid form permits the token."""
        chosen = self.cleaned_data
        return TokenLimits(Role(chosen["role"]), tuple(chosen["modules"]), chosen["sets"], chosen["networks"])

    def expires_at(self, now: datetime) -> datetime | None:
        """When the token expires; None for never."""
        days: int = self.cleaned_data["days"]
        return now + timedelta(days=days) if days else None
