"""Edit tokens: a form carries a digest of what its editor saw, so that a stale form changes nothing.

For the panel's own tables, whose every write has an audit record: the newest record of the subject tells what
was changed since, and by whom.
"""

import json
from collections.abc import Mapping
from typing import Any

from django.utils.crypto import constant_time_compare, salted_hmac

from efcp.audit.models import AuditRecord
from efcp.audit.services import Subject

FIELD = "original"
"""The hidden field that carries a token."""

_SALT = "efcp.edit-token"


class StaleFormError(Exception):
    """The form was not made from what is stored now; nothing was written.

    `latest` is the newest audit record of the subject, None where there is none.
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__(f"{subject.label} was changed since the form was opened")
        self.latest = (
            AuditRecord.objects.filter(subject_kind=subject.kind, subject_id=subject.id)
            .order_by("-id")
            .first()
        )

    @property
    def text(self) -> str:
        """What happened, as a sentence for the user."""
        if self.latest is None:
            return "Nothing was saved: this was changed after you opened it."
        return f"Nothing was saved: {self.latest.actor} changed this after you opened it."


def edit_token(values: Mapping[str, Any]) -> str:
    """The token for a form that shows `values`; secrets may be among them, since it is a keyed digest."""
    text = json.dumps(dict(values), sort_keys=True, default=str)
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()[:32]


def require_current(token: str, subject: Subject, values: Mapping[str, Any]) -> None:
    """Raise StaleFormError unless `token` was made from `values`, which are read under the write's lock."""
    if not constant_time_compare(token, edit_token(values)):
        raise StaleFormError(subject)
