"""What a proxy accepts although it was not meant; each is reported once."""

import pytest

from efcp.script.checking.check import check
from efcp.script.findings import ScriptFinding, ScriptSeverity
from efcp.script.knowledge.facts import knowledge_of
from efcp.script.language.reading import read_text

MODULES = "proto_udp tm sl signaling db_mysql dispatcher dialplan"
URL = "mysql://proxy:secret@db.example.com/opensips"
HEAD = (
    "socket=udp:127.0.0.1:5060\n"
    + "".join(f'loadmodule "{name}.so"\n' for name in MODULES.split())
    + f'modparam("dispatcher", "db_url", "{URL}")\nmodparam("dialplan", "db_url", "{URL}")\n'
)
LINES = HEAD.count("\n")


def findings(text: str, version: str = "3.6") -> tuple[ScriptFinding, ...]:
    return check(read_text(HEAD + text, "t.cfg"), knowledge_of(version)).findings


def codes(text: str, version: str = "3.6") -> list[str]:
    return [finding.code for finding in findings(text, version)]


class TestAParameterSetTwice:
    def test_is_reported_with_the_first_place(self) -> None:
        lines = (
            'modparam("dispatcher", "ds_ping_interval", 5)\nmodparam("dispatcher", "ds_ping_interval", 9)\n'
        )
        (finding,) = findings(f"{lines}route {{ exit; }}\n")
        assert (finding.code, finding.severity) == ("parameter-twice", ScriptSeverity.WARNING)
        assert (finding.place.line, finding.also[0].line) == (LINES + 2, LINES + 1)

    def test_is_reported_under_its_two_spellings(self) -> None:
        lines = (
            'modparam("dispatcher", "ds_probing_threshhold", 3)\n'
            'modparam("dispatcher", "ds_probing_threshold", 2)\n'
        )
        reported = {finding.code: finding.text for finding in findings(f"{lines}route {{ exit; }}\n")}
        assert "ds_probing_threshhold and ds_probing_threshold, which are one" in reported["parameter-twice"]

    def test_is_fine_where_it_adds_to_a_list(self) -> None:
        lines = "".join(f'modparam("dispatcher", "partition", "{name}: db_url={URL}")\n' for name in "ab")
        assert codes(f"{lines}route {{ exit; }}\n") == []


class TestAResult:
    @pytest.mark.parametrize(
        "body",
        [
            '$var(r) = ds_select_dst(1, 4, "f"); t_relay();',
            '$var(r) = ds_select_dst(1, 4, "f"); $var(r) = 1; t_relay();',
        ],
    )
    def test_that_is_kept_and_never_read_is_reported(self, body: str) -> None:
        assert codes(f"route {{ {body} }}\n") == ["result-not-tested"]

    @pytest.mark.parametrize(
        "body",
        [
            '$var(r) = ds_select_dst(1, 4, "f"); if ($var(r) < 0) exit; t_relay();',
            '$var(r) = ds_select_dst(1, 4, "f"); xlog("$var(r)\\n"); t_relay();',
            '$var(r) = ds_select_dst(1, 4, "f"); switch ($var(r)) { case 1: t_relay(); }',
            '$var(r) = ds_select_dst(1, 4, "f"); if ($rc < 0) exit; t_relay();',
        ],
    )
    def test_that_is_read_is_fine(self, body: str) -> None:
        assert codes(f"route {{ {body} }}\n") == []

    @pytest.mark.parametrize(
        "condition",
        [
            "!(ds_select_dst(1, 4) || ds_select_dst(2, 4))",
            "!ds_select_dst(1, 4) && !ds_select_dst(2, 4)",
            "!ds_select_dst(1, 4) && $rU == NULL",
        ],
    )
    def test_of_several_selections_that_found_nothing_is_no_fault_of_the_server(self, condition: str) -> None:
        assert codes(f'route {{ if ({condition}) {{ send_reply(500, "x"); exit; }} t_relay(); }}\n') == [
            "reply-500"
        ]

    @pytest.mark.parametrize("condition", ["!ds_select_dst(1, 4) || $rU == NULL", "ds_select_dst(1, 4)"])
    def test_of_a_selection_that_may_have_found_something_has_no_finding(self, condition: str) -> None:
        assert codes(f'route {{ if ({condition}) {{ send_reply(500, "x"); exit; }} t_relay(); }}\n') == []


class TestEachKind:
    """Of many lines alike there is one finding, with all places."""

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            ('xlog("$Ri");', "variable-unknown"),
            ("setflag(1);", "argument-type"),
            ("nosuch();", "function-unknown"),
            ("t_relay(1, 2, 3);", "function-arguments"),
        ],
    )
    def test_is_reported_once(self, line: str, code: str) -> None:
        lines = f"{line}\n" * 50
        (finding,) = findings(f"route {{\n{lines}}}\n")
        assert finding.code == code
        assert [place.line for place in (finding.place, *finding.also)] == list(range(LINES + 2, LINES + 52))

    def test_is_reported_once_of_parameters_of_a_module_that_is_not_loaded(self) -> None:
        lines = "".join(f'modparam("usrloc", "x{number}", 1)\n' for number in range(50))
        (finding,) = [
            it for it in findings(f"{lines}route {{ exit; }}\n") if it.code == "parameter-without-module"
        ]
        assert len(finding.also) == 49


def test_a_variable_in_a_condition_of_assert_is_looked_at() -> None:
    assert "variable-unknown" in codes('route { assert($nosuch == 1, "x"); }\n')


def test_a_variable_of_a_module_below_the_route_is_early() -> None:
    text = 'route { if ($DLG_status == NULL) exit; }\nloadmodule "dialog.so"\n'
    assert codes(text) == ["variable-early"]


def test_a_variable_of_a_module_that_may_be_elsewhere_is_left_alone() -> None:
    found = check(read_text("route[a] { $var(x) = $DLG_status; }\n", "t.cfg"), knowledge_of("3.6")).findings
    assert [finding.code for finding in found] == ["fragment"]
