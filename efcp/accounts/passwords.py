"""The policy for passwords, and passwords that the panel makes up.

The validators are settings.AUTH_PASSWORD_VALIDATORS; all of them run, so that a user reads every
fault of a password at once. Length over composition rules, and a list of common ones, as NIST SP 800-63B
section 5.1.1.2 has it.
"""

import secrets
from typing import TYPE_CHECKING

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

if TYPE_CHECKING:
    from efcp.accounts.models import User

FIRST_USERNAME = "admin"
FIRST_PASSWORD = "opensips"  # noqa: S105 - the guide's first sign-in, which must be changed at once
LONGEST_PASSWORD = 1024
"""Characters; Argon2 reads all of a password, and a request must not buy much work."""


class NotTooLongValidator:
    """Refuses passwords of more than LONGEST_PASSWORD characters."""

    def validate(self, password: str, user: "User | None" = None) -> None:
        """Raise ValidationError for a password that is too long."""
        if len(password) > LONGEST_PASSWORD:
            raise ValidationError(
                f"This password is too long (at most {LONGEST_PASSWORD} characters).",
                code="password_too_long",
            )

    def get_help_text(self) -> str:
        """The rule in words."""
        return f"At most {LONGEST_PASSWORD} characters."


class NotTheUserNameValidator:
    """Refuses the user's own name, also with digits or signs around it or in other case."""

    def validate(self, password: str, user: "User | None" = None) -> None:
        """Raise ValidationError for a password made of `user`'s name."""
        if user is not None and _letters(password) == _letters(user.username):
            raise ValidationError("This password is your user name.", code="password_is_username")

    def get_help_text(self) -> str:
        """The rule in words."""
        return "Not the user name."


class NotTheFirstPasswordValidator:
    """Refuses the first password that the guide prints, also with digits or signs around it."""

    def validate(self, password: str, user: "User | None" = None) -> None:
        """Raise ValidationError for a password made of the first one."""
        if _letters(password) == FIRST_PASSWORD:
            raise ValidationError(
                f"This is the well-known default password (“{FIRST_PASSWORD}”).",
                code="password_is_first",
            )

    def get_help_text(self) -> str:
        """The rule in words."""
        return f"Not “{FIRST_PASSWORD}”."


def password_faults(password: str, user: "User | None" = None) -> list[str]:
    """What the policy holds against `password` for `user`: every fault, as lines for people."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        return list(error.messages)
    return []


def random_password() -> str:
    """A random password of 120 bits that can be read aloud and typed."""
    return secrets.token_hex(15)


def _letters(text: str) -> str:
    """The letters of `text` in one case; all of it where it has none."""
    return "".join(filter(str.isalpha, text.casefold())) or text
