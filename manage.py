#!/usr/bin/env python
"""Entry to the panel's commands: `python manage.py help` lists them."""

import os
import signal
import sys


def main() -> None:
    """Run one management command; Ctrl-C ends it without a trace."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _run() -> None:
    """Run the command; a bad setting or table ends it with one line and exit code 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")
    from django.core.management import execute_from_command_line

    from efcp.database.opensips import UnusableTableError
    from efcp.environment import ConfigurationError

    try:
        execute_from_command_line(sys.argv)
    except (ConfigurationError, UnusableTableError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
