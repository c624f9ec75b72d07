"""What an editor saw of a rule, signed into the form, so that the write can be guarded by it."""

from dataclasses import asdict

from django.core import signing

from dialplan.models import Rule
from dialplan.translation.rules import RuleRow

_SALT = "dialplan.seen"


def sign(values: RuleRow) -> str:
    """The text for the form's hidden field."""
    return signing.dumps(asdict(values), salt=_SALT)


def is_signed(text: str) -> bool:
    """Whether `text` was signed here, by this version of the panel; else nothing is known as seen."""
    try:
        RuleRow(**signing.loads(text, salt=_SALT))
    except (signing.BadSignature, TypeError, ValueError, LookupError):
        return False
    return True


def read(text: str, row: Rule) -> RuleRow:
    """The values that were seen; those of `row` as it is now where `text` is not one that was signed here."""
    try:
        return RuleRow(**signing.loads(text, salt=_SALT))
    except (signing.BadSignature, TypeError, ValueError):
        return RuleRow.of(row)
