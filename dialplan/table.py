"""The table `dialplan`: how OpenSIPS creates it, and how the panel edits each column."""

from django import forms

from dialplan.models import DialplanName, MatchOperator, Rule
from dialplan.translation.rules import RuleRow
from efcp.database.opensips import OpenSIPSTable
from efcp.editing.forms import ExactTextField
from efcp.editing.names import GroupNames
from efcp.editing.table import MAX_INT, Column, Table
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

DIALPLAN_NAMES = GroupNames(
    model=DialplanName,
    key="dpid",
    noun="dialplan",
    subject_kind="dialplan name",
    list_page="dialplan:list",
    template="dialplan/name.html",
)


def _expression(label: str, width: int, help_text: str, *, required: bool = False) -> ExactTextField:
    """A text column in a font in which every character counts."""
    widget = forms.TextInput(attrs={"class": "mono"})
    return ExactTextField(label=label, width=width, required=required, help_text=help_text, widget=widget)


RULES = Table(
    name="dialplan",
    model=Rule,
    row=RuleRow,
    noun="rule",
    title="match_exp",
    key="dpid",
    group_noun="dialplan",
    in_order=("dpid", "pr", "id"),
    columns=(
        Column(
            "dpid",
            forms.IntegerField(
                label="Dialplan",
                initial=1,
                min_value=0,
                max_value=MAX_INT,
                help_text="First argument of dp_translate.",
            ),
            identity=True,
        ),
        Column(
            "pr",
            forms.IntegerField(
                label="Priority",
                initial=0,
                min_value=-MAX_INT - 1,
                max_value=MAX_INT,
                help_text="Lowest first; equal priorities in no guaranteed order.",
            ),
        ),
        Column(
            "match_op",
            forms.TypedChoiceField(
                label="Match", initial=MatchOperator.REGEX.value, choices=MatchOperator.choices, coerce=int
            ),
            identity=True,
        ),
        Column(
            "match_exp",
            _expression(
                "Match expression",
                64,
                "A PCRE2 expression, or the exact text for an equal rule.",
                required=True,
            ),
            empty="",
            identity=True,
            searched=True,
        ),
        Column("match_flags", forms.BooleanField(label="Ignore case", required=False)),
        Column(
            "subst_exp",
            _expression("Substitution expression", 64, "Captures groups \\1 to \\9 from the input."),
            searched=True,
        ),
        Column(
            "repl_exp",
            _expression("Replacement", 32, "The output: text, groups \\1 to \\9, variables such as $rU."),
            searched=True,
        ),
        Column(
            "attrs",
            _expression("Attributes", 255, "Passed to the script with the output."),
            searched=True,
        ),
        Column(
            "timerec",
            _expression("Time recurrence", 255, "When the rule applies. Blank: always."),
            inserted=False,
        ),
        Column(
            "disabled",
            forms.BooleanField(label="Disabled (not loaded by proxies)", required=False),
            inserted=False,
        ),
    ),
)
"""An INSERT names the eight columns of the old panel in their order, and the last two where they are set."""
