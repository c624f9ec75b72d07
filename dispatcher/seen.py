"""What an editor saw of a row, signed into the form, so that the write can be guarded by it.

The password of an `fs://` weight does not go into the page a second time: its digest tells whether it is
still the one that was seen.
"""

from dataclasses import asdict, replace

from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from dispatcher.services import for_audit

_SALT = "dispatcher.seen"


def sign(values: DestinationRow) -> str:
    """The text for the form's hidden field."""
    return signing.dumps([for_audit(values), _digest(values.weight)], salt=_SALT)


def is_signed(text: str) -> bool:
    """Whether `text` was signed here, by this version of the panel; else nothing is known as seen."""
    try:
        DestinationRow(**signing.loads(text, salt=_SALT)[0])
    except (signing.BadSignature, TypeError, ValueError, LookupError):
        return False
    return True


def read(text: str, row: Destination) -> DestinationRow:
    """The values that were seen; those of `row` as it is now where `text` is not one that was signed here.

    Where the weight was changed since to another password, the masked one is returned: it equals nothing
    that a table holds, so that an update guarded by it fails.
    """
    current = DestinationRow.of(row)
    try:
        seen, digest = signing.loads(text, salt=_SALT)
        values = DestinationRow(**seen)
    except (signing.BadSignature, TypeError, ValueError):
        return current
    if constant_time_compare(digest, _digest(current.weight)):
        return replace(values, weight=current.weight)
    return values


def _digest(weight: str) -> str:
    return salted_hmac(_SALT, weight, algorithm="sha256").hexdigest()


def as_initial(values: DestinationRow) -> dict[str, object]:
    """The form's initial data for a row: its columns and what was seen."""
    return asdict(values) | {"original": sign(values)}
