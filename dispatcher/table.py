"""The table `dispatcher`: how OpenSIPS creates it, and how the panel edits each column."""

from django import forms

from dispatcher.models import Destination, DestinationSet, InitialState, ProbeMode
from dispatcher.routing.rows import DestinationRow
from dispatcher.secrets import mask_weight
from efcp.database.opensips import OpenSIPSTable
from efcp.editing.forms import ExactTextField
from efcp.editing.names import GroupNames
from efcp.editing.table import MAX_INT, Column, Table
from efcp.releases import OLDEST, STRICTEST
from efcp.sip.uri import uri_key

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

SET_NAMES = GroupNames(
    model=DestinationSet, key="setid", noun="set", subject_kind="set", list_page="dispatcher:list"
)


def _without_end_spaces(text: str) -> str:
    """MariaDB's CHAR columns cut the spaces at the end, so that no proxy ever sees them."""
    return text.rstrip(" ")


DESTINATIONS = Table(
    name="dispatcher",
    model=Destination,
    row=DestinationRow,
    noun="destination",
    title="destination",
    key="setid",
    group_noun="set",
    in_order=("setid", "-priority", "id"),
    identify=lambda row: (row.setid, uri_key(row.destination.rstrip(" "))),
    columns=(
        Column(
            "setid",
            forms.IntegerField(
                label="Set",
                initial=1,
                min_value=0,
                max_value=MAX_INT,
                help_text="The set a route selects from: first argument of ds_select_dst.",
            ),
            identity=True,
        ),
        Column(
            "destination",
            ExactTextField(
                label="Destination",
                width=192,
                help_text="Example: sip:10.0.0.1:5060. A name without a port is resolved by NAPTR and SRV.",
            ),
            clean=_without_end_spaces,
            empty="",
            identity=True,
            searched=True,
        ),
        Column(
            "socket",
            ExactTextField(
                label="Socket",
                width=128,
                required=False,
                help_text="Source socket on the proxy, e.g. udp:10.0.0.2:5060. Blank: automatic.",
            ),
            clean=str.strip,
        ),
        Column(
            "state",
            forms.TypedChoiceField(
                label="Initial state",
                initial=InitialState.ACTIVE.value,
                choices=InitialState.choices,
                coerce=int,
                help_text="The state when a proxy first loads this destination.",
            ),
            proxies_write=True,
        ),
        Column(
            "weight",
            ExactTextField(
                label="Weight",
                initial="1",
                width=64,
                help_text="0 to 65535, relative to the set's other weights, or a FreeSWITCH fs:// URL.",
            ),
            clean=_without_end_spaces,
            empty="",
            mask=mask_weight,
        ),
        Column(
            "attrs",
            ExactTextField(
                label="Attributes",
                width=128,
                required=False,
                help_text="Passed to the script with the destination (attrs_avp).",
            ),
            empty="",
            searched=True,
        ),
        Column(
            "probe_mode",
            forms.TypedChoiceField(
                label="Probing",
                initial=ProbeMode.WHEN_PROBING.value,
                choices=ProbeMode.choices,
                coerce=int,
                help_text="Send OPTIONS always, or only while the state is probing.",
            ),
        ),
        Column(
            "description",
            ExactTextField(label="Description", width=64, required=False),
            empty="",
            searched=True,
        ),
        Column(
            "priority",
            forms.IntegerField(
                label="Priority",
                initial=0,
                min_value=0,
                max_value=65535,
                help_text="Order within the set: higher first.",
            ),
            inserted=False,
        ),
    ),
)
"""An INSERT names the eight columns of the old panel in their order, and `priority` where it is set."""
