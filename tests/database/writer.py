"""`python -m tests.database.writer KIND SECONDS`: write as one of the panel's processes does, without a rest.

Tells how often it wrote, and ends with a trace at the first error, a lock's above all.
"""

import os
import sys
import time

import django


def main(kind: str, seconds: float) -> None:
    """Write until the time is over; once a second is the least that each writer must get through."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")
    django.setup()
    from tests.database.writings import WRITINGS

    write = WRITINGS[kind]
    end = time.monotonic() + seconds
    turns = 0
    while time.monotonic() < end:
        write(turns)
        turns += 1
    sys.stdout.write(f"{turns}\n")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
