"""How OpenSIPS creates the table `dispatcher`."""

from efcp.database.opensips import OpenSIPSTable
from efcp.releases import OLDEST, STRICTEST

DISPATCHER = OpenSIPSTable(
    name="dispatcher",
    version=9,
    releases={5: "1.8", 6: "1.11", 7: "2.1 and 2.2", 8: "2.3 to 3.3", 9: f"{OLDEST} to {STRICTEST}"},
    ddl={
        "mysql": """CREATE TABLE dispatcher (
            id INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,
            setid INT DEFAULT 0 NOT NULL,
            destination CHAR(192) DEFAULT '' NOT NULL,
            socket CHAR(128) DEFAULT NULL,
            state INT DEFAULT 0 NOT NULL,
            probe_mode INT(11) UNSIGNED DEFAULT 0 NOT NULL,
            weight CHAR(64) DEFAULT 1 NOT NULL,
            priority INT DEFAULT 0 NOT NULL,
            attrs CHAR(128) DEFAULT NULL,
            description CHAR(64) DEFAULT NULL
        ) ENGINE=InnoDB""",
        "sqlite": """CREATE TABLE dispatcher (
            id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
            setid INTEGER DEFAULT 0 NOT NULL,
            destination CHAR(192) DEFAULT '' NOT NULL,
            socket CHAR(128) DEFAULT NULL,
            state INTEGER DEFAULT 0 NOT NULL,
            probe_mode INTEGER DEFAULT 0 NOT NULL,
            weight CHAR(64) DEFAULT 1 NOT NULL,
            priority INTEGER DEFAULT 0 NOT NULL,
            attrs CHAR(128) DEFAULT NULL,
            description CHAR(64) DEFAULT NULL
        )""",
    },
)
