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
    if sys.argv[1:3] == ["script", "check"]:
        _check_script()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")
    from django.core.management import execute_from_command_line

    from efcp.database.opensips import UnusableTableError
    from efcp.environment import ConfigurationError

    try:
        execute_from_command_line(sys.argv)
    except (ConfigurationError, UnusableTableError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def _check_script() -> None:
    """Check a script and exit, unless that takes Django, whose start takes longer than the check."""
    from efcp.script.command_line import checked_alone

    code = checked_alone(sys.argv[3:])
    if code is not None:
        sys.exit(code)


if __name__ == "__main__":
    main()
