"""The panel's settings, for a job's process that knows the tests' kinds too."""

from efcp.settings import *  # noqa: F403
from efcp.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.jobs.playing"]
