"""The yardstick: a bare Django page (session, user and 30 rows of a table), under the panel's own gunicorn.

`python -m tests.bench.bare` makes its tables, a user and a session in DATABASE_URL, prints the session's key,
and is then served as `tests.bench.bare:application`. Its time tells how fast the machine is at the moment.
"""

import functools
import os
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from efcp.launch.serving.bridge import Bridge
from efcp.launch.serving.lanes import RequestKind

ROWS = 30
TEMPLATE = """<!doctype html><title>Bare</title><p>{{ user.username }}</p><table>
{% for row in rows %}<tr><td>{{ row.codename }}</td><td>{{ row.name }}</td>
<td>{{ row.content_type_id }}</td></tr>{% endfor %}</table>"""

_database = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    SECRET_KEY="a key for benchmarks only",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "HOST": _database.hostname,
            "PORT": _database.port,
            "USER": _database.username,
            "PASSWORD": _database.password,
            "NAME": _database.path.strip("/"),
            "CONN_MAX_AGE": 300,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
application = Bridge(get_wsgi_application(), lambda *_: RequestKind.PAGE)


def page(request: HttpRequest) -> HttpResponse:
    """The first rows of a table, for signed-in users."""
    from django.contrib.auth.models import Permission

    if not request.user.is_authenticated:
        return HttpResponse(status=403)
    rows = Permission.objects.order_by("pk")[:ROWS]
    return HttpResponse(_template().render({"rows": rows, "user": request.user}))


@functools.cache
def _template() -> Any:
    return engines["django"].from_string(TEMPLATE)


urlpatterns = [path("", page)]


def prepare() -> str:
    """Make tables, user and session; return the session's key."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import Permission, User
    from django.contrib.contenttypes.models import ContentType
    from django.contrib.sessions.backends.db import SessionStore

    call_command("migrate", verbosity=0)
    kind = ContentType.objects.get_for_model(User)
    for number in range(ROWS):
        Permission.objects.create(codename=f"bare-{number}", name=f"Row {number}", content_type=kind)
    user = User.objects.create_user("bare")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


if __name__ == "__main__":
    django.setup()
    print(prepare())
