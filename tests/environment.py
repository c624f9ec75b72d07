"""The environment of the processes that tests start."""

import os

SETTINGS = ("DATABASE_", "EFCP_")
"""How the names of the panel's settings begin."""


def without_settings() -> dict[str, str]:
    """This process's environment without the panel's settings: they might name a database that is in use."""
    return {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
