"""A session and its user, read in one query.

A session names its user inside. This process remembers the users of the sessions that it has read, queries
both at once, and then trusts only what the session itself names.
"""

from typing import Any

from django.contrib import auth
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends import db
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

from efcp.accounts.models import User
from efcp.database.compiled import ModelColumns, moment_parameter

BACKEND = "efcp.accounts.backends.RoleBackend"
REMEMBERED = 4_096
"""Sessions of which a process remembers the user."""

_USER = ModelColumns(User, "u")
_SESSION_AND_USER = (
    f"SELECT s.session_data, {_USER.sql} FROM django_session s"  # noqa: S608 - our own column names
    " LEFT JOIN efcp_user u ON u.id = %s WHERE s.session_key = %s AND s.expire_date > %s"
)


_user_ids: dict[str | None, int] = {}
"""By session key, the user that a session belonged to when this process read it last."""


class SessionStore(db.SessionStore):
    """Django's sessions in the database."""

    read_user: User | None = None
    """The user who was read along with the session, if it is the session's own."""

    def load(self) -> dict[str, Any]:
        """The session's values, as Django's own `load` gives them."""
        supposed = _user_ids.get(self.session_key)
        with connection.cursor() as cursor:
            cursor.execute(_SESSION_AND_USER, [supposed, self.session_key, moment_parameter(timezone.now())])
            row = cursor.fetchone()
        if row is None:
            self._session_key = None
            return {}
        values: dict[str, Any] = self.decode(row[0])
        user_id = values.get(auth.SESSION_KEY)
        if user_id is not None and user_id == str(supposed) and row[1] is not None:
            self.read_user = _USER.instance(row[1:])
        else:
            _remember(self.session_key, user_id)
        return values

    def save(self, must_create: bool = False) -> None:
        """Store the session."""
        super().save(must_create)
        _remember(self.session_key, self.get(auth.SESSION_KEY))

    @classmethod
    def get_model_class(cls) -> Any:
        """The table of Django's own sessions."""
        return db.SessionStore.get_model_class()


def _remember(session_key: str | None, user_id: str | None) -> None:
    if user_id is None:
        return
    if len(_user_ids) >= REMEMBERED:
        _user_ids.clear()
    _user_ids[session_key] = int(user_id)


class UserMiddleware(AuthenticationMiddleware):
    """Gives each request its user, read along with the session where that is known to be theirs."""

    def process_request(self, request: HttpRequest) -> None:
        """Nothing is read before something asks for the user."""
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _user_of(request))  # type: ignore[assignment]


def _user_of(request: HttpRequest) -> Any:
    """The same as Django's `get_user`, which reads the user in a query of its own."""
    session = request.session
    backend = session.get(auth.BACKEND_SESSION_KEY)
    user = getattr(session, "read_user", None)
    if user is None or backend != BACKEND or session.get(auth.SESSION_KEY) != str(user.pk):
        return auth.get_user(request)
    verified = session.get(auth.HASH_SESSION_KEY)
    if user.is_active and verified and constant_time_compare(verified, user.get_session_auth_hash()):
        return user
    # Django ends the session, or renews it where its key was signed with a former SECRET_KEY.
    return auth.get_user(request) if user.is_active else AnonymousUser()
