"""How long a page waits for the database: a database that stalls must not hold the panel's threads.

Jobs, watcher and migrations have no such limits: they may take long, and hold nobody up.
"""

from typing import Any

from django.db import connections

STATEMENT_S = 4
"""One statement of a page; MariaDB ends it (`max_statement_time`)."""
LOCK_S = 2
"""One wait for a row's lock, after which efcp/proxies/locking.py repeats the transaction a few times."""
CONNECTION_S = 6
"""One answer of the server, where it does not even end the statement."""


def limit_pages() -> None:
    """Limit all connections that this process opens from now on."""
    connections.close_all()
    for database in connections.settings.values():
        options: dict[str, Any] = database.setdefault("OPTIONS", {})
        if database["ENGINE"].endswith("sqlite3"):
            options["timeout"] = CONNECTION_S
            continue
        options |= {"connect_timeout": 3, "read_timeout": CONNECTION_S, "write_timeout": CONNECTION_S}
        # MySQL skips what MariaDB reads behind M!.
        options["init_command"] = (
            f"SET SESSION innodb_lock_wait_timeout={LOCK_S} /*M!100101 , max_statement_time={STATEMENT_S} */"
        )
