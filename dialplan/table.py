"""How OpenSIPS creates the table `dialplan`."""

from efcp.database.opensips import OpenSIPSTable
from efcp.releases import STRICTEST

DIALPLAN = OpenSIPSTable(
    name="dialplan",
    version=5,
    releases={3: "1.8", 4: "1.11", 5: f"2.1 to {STRICTEST}"},
    ddl={
        "mysql": """CREATE TABLE dialplan (
            id INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,
            dpid INT(11) NOT NULL,
            pr INT(11) DEFAULT 0 NOT NULL,
            match_op INT(11) NOT NULL,
            match_exp CHAR(64) NOT NULL,
            match_flags INT(11) DEFAULT 0 NOT NULL,
            subst_exp CHAR(64) DEFAULT NULL,
            repl_exp CHAR(32) DEFAULT NULL,
            timerec CHAR(255) DEFAULT NULL,
            disabled INT(11) DEFAULT 0 NOT NULL,
            attrs CHAR(255) DEFAULT NULL
        ) ENGINE=InnoDB""",
        "sqlite": """CREATE TABLE dialplan (
            id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
            dpid INTEGER NOT NULL,
            pr INTEGER DEFAULT 0 NOT NULL,
            match_op INTEGER NOT NULL,
            match_exp CHAR(64) NOT NULL,
            match_flags INTEGER DEFAULT 0 NOT NULL,
            subst_exp CHAR(64) DEFAULT NULL,
            repl_exp CHAR(32) DEFAULT NULL,
            timerec CHAR(255) DEFAULT NULL,
            disabled INTEGER DEFAULT 0 NOT NULL,
            attrs CHAR(255) DEFAULT NULL
        )""",
    },
)
