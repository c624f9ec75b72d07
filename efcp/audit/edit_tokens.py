"""Edit tokens: a form carries a digest of the row that its editor loaded; a stale form changes nothing.

For the panel's own tables, whose every write has an audit record: the newest record of the subject shows what
was changed since, and by whom.
"""

import json
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac

from efcp.audit.models import AuditRecord
from efcp.audit.selectors import ColumnChange, differences
from efcp.audit.services import Subject

FIELD = "original"
"""The hidden field that carries a token."""

_SALT = "efcp.edit-token"


class StaleFormError(Exception):
    """The form was not made from what is stored now; nothing was written.

    `latest` is the newest audit record of the subject, None where there is none.
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__(f"{subject.label} was changed after the form was opened")
        self.latest = (
            AuditRecord.objects.filter(subject_kind=subject.kind, subject_id=subject.id)
            .order_by("-id")
            .first()
        )

    @property
    def changes(self) -> list[ColumnChange]:
        """The columns that the newest record changed."""
        return [each for each in differences(self.latest) if each.changed] if self.latest else []

    @property
    def text(self) -> str:
        """What happened, as a sentence for the user."""
        if self.latest is None:
            return "Not saved: this was changed after you opened it."
        return f"Not saved: {self.latest.actor} changed this after you opened it."


def token_of(shown: Model) -> str:
    """The token of a row as it was read: a keyed digest of its columns, so that secrets may be among them.

    A model whose rows hold more than their editors change names the fields that count in `GUARDED`.
    """
    text = json.dumps(_guarded_values(shown), sort_keys=True, default=str)
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()[:32]


def token_in(request: HttpRequest) -> str:
    """The token that a form was sent with; empty, which fits nothing, where it has none."""
    return str(request.POST.get(FIELD, ""))


def require_current(token: str | None, stored: Model, subject: Subject) -> None:
    """Raise StaleFormError unless `token` was made from what is `stored`, read under the write's lock.

    None is a caller that shows no form, such as a command.
    """
    if token is not None and not constant_time_compare(token, token_of(stored)):
        raise StaleFormError(subject)


def _plain(value: Any) -> Any:
    return bytes(value).hex() if isinstance(value, (bytes, memoryview)) else value


def _guarded_values(shown: Model) -> dict[str, Any]:
    names = getattr(shown, "GUARDED", None)
    if names is None:
        names = [field.attname for field in shown._meta.concrete_fields]
    values = {name: _plain(getattr(shown, name)) for name in names}
    for field in shown._meta.many_to_many:
        values[field.name] = sorted(other.pk for other in getattr(shown, field.name).all())
    return values
