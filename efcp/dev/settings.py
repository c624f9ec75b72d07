"""The panel's settings, with Django's debug pages and the debug toolbar at the right of each page."""

from efcp.settings import *  # noqa: F403
from efcp.settings import INSTALLED_APPS, MIDDLEWARE

DEBUG = True
INTERNAL_IPS = ["127.0.0.1", "::1"]
INSTALLED_APPS = [*INSTALLED_APPS, "debug_toolbar"]
# In front of whatever answers by itself; behind what only wraps.
MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware", *MIDDLEWARE]
ROOT_URLCONF = "efcp.dev.urls"
# Static files come from the source, so that an edit shows at the next load.
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
