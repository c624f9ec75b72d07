"""What the files of the corpus can't show: places besides the first, and what is left unsaid."""

from pathlib import Path

import pytest

from efcp.script.checking.check import check
from efcp.script.checking.overview import SetFacts, TableFacts
from efcp.script.findings import Location, ScriptFinding, ScriptSeverity
from efcp.script.knowledge.facts import VERSIONS, knowledge_of
from efcp.script.language.reading import read, read_text

HEAD = 'socket=udp:127.0.0.1:5060\nloadmodule "proto_udp.so"\nloadmodule "tm.so"\n'
NO_SETS: dict[int, SetFacts] = {}


def findings(text: str, tables: TableFacts | None = None, version: str = "3.6") -> tuple[ScriptFinding, ...]:
    return check(read_text(text, "t.cfg"), knowledge_of(version), tables).findings


def codes(text: str, tables: TableFacts | None = None, version: str = "3.6") -> list[str]:
    return [finding.code for finding in findings(text, tables, version)]


def test_a_second_load_names_the_first() -> None:
    (finding,) = findings(HEAD + 'loadmodule "tm.so"\nroute { t_relay(); }\n')
    assert (finding.place, finding.also) == (Location("t.cfg", 4), (Location("t.cfg", 3),))


def test_a_name_that_is_nearly_right_is_offered() -> None:
    (finding,) = findings(HEAD + 'modparam("tm", "fr_timout", 5)\nroute { t_relay(); }\n')
    assert finding.text.endswith("Did you mean fr_timeout?")


def test_a_name_that_is_near_to_nothing_gets_no_offer() -> None:
    (finding,) = findings(HEAD + "route { qqqqqqqqqqqq(); }\n")
    assert "Did you mean" not in finding.text


def test_what_reading_finds_is_reported_too() -> None:
    assert "unclosed-string" in codes('xlog_level=1\nroute { xlog("a); }\n')


def test_a_text_that_is_none_gives_that_one_finding() -> None:
    assert codes("\0\0\0") == ["binary"]


def test_nothing_gives_nothing() -> None:
    assert codes("") == []


def test_a_file_that_is_included_is_judged_with_the_one_that_includes_it(tmp_path: Path) -> None:
    (tmp_path / "modules.cfg").write_text(
        'loadmodule "proto_udp.so"\nloadmodule "tm.so"\nloadmodule "tm.so"\n'
    )
    main = tmp_path / "opensips.cfg"
    main.write_text('socket=udp:127.0.0.1:5060\ninclude_file "modules.cfg"\nroute { t_relay(); }\n')
    (finding,) = check(read(main), knowledge_of("3.4")).findings
    assert (finding.code, finding.place) == ("module-twice", Location(str(tmp_path / "modules.cfg"), 3))


class TestAPartOfAScript:
    """What may be elsewhere is not reported as missing."""

    @pytest.mark.parametrize(
        "text",
        [
            "route[a] { t_relay(); }",
            'loadmodule "dispatcher.so"',
            'modparam("tm", "fr_timeout", 5)',
            'route[a] { t_on_failure("b"); route(c); }',
            'failure_route[a] { ds_mark_dst("p"); if (!ds_next_dst()) exit; t_on_failure("a"); t_relay(); }',
            'route[a] { if (!ds_select_dst(1, 7, "f", "trunks")) exit; }',
            'loadmodule "mi_http.so"',
        ],
    )
    def test_only_that_it_is_one_is_reported(self, text: str) -> None:
        (finding,) = findings(text)
        assert (finding.code, finding.severity) == ("fragment", ScriptSeverity.HINT)

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ('modparam("dispatcher", "ds_ping_intervl", 5)', "parameter-unknown"),
            ('route[a] { ds_select_dst(1, 4, "f"); }', "result-not-tested"),
            ("failure_route[a] { ds_mark_dst(); }", "mark-without-state"),
            ("branch_route[a] { t_relay(); }", "function-misplaced"),
        ],
    )
    def test_what_is_wrong_anywhere_is_reported(self, text: str, code: str) -> None:
        assert sorted(codes(text)) == sorted(["fragment", code])


class TestWhatIsNotKnown:
    """What a variable says, or a module that is not described, is not guessed."""

    def test_a_route_called_by_a_variable_may_be_any(self) -> None:
        assert codes(HEAD + "route { route($var(x)); }\nroute[a] { t_relay(); }\n") == []

    def test_a_failure_route_armed_by_a_variable_may_be_any(self) -> None:
        text = 'route { t_on_failure("$var(x)"); t_relay(); }\nfailure_route[a] { exit; }\n'
        assert codes(HEAD + text) == []

    def test_functions_of_a_module_that_is_not_described_are_not_judged(self) -> None:
        text = 'loadmodule "snmpstats.so"\nroute { snmp_foo("a"); t_relay(); }\n'
        assert codes(HEAD + text, version="3.4") == []

    def test_a_route_that_a_module_takes_by_its_name_is_called(self) -> None:
        text = 'loadmodule "tm.so"\nroute { t_relay(); xlog("later"); }\nroute[later] { exit; }\n'
        assert codes(HEAD.replace('loadmodule "tm.so"\n', "") + text) == []

    def test_without_tables_sets_have_no_findings(self) -> None:
        text = "route[a] { if (!ds_select_dst(77, 4)) exit; if (!dp_translate(9, $rU, $rU)) exit; }"
        assert codes(text) == ["fragment"]
        assert codes(text, TableFacts(sets=NO_SETS, dialplans={})) == [
            "dialplan-missing",
            "fragment",
            "set-missing",
        ]

    def test_another_partition_or_table_is_not_the_panels(self) -> None:
        assert codes('route[a] { if (!ds_select_dst(7, 4, , "b")) exit; }', TableFacts(sets=NO_SETS)) == [
            "fragment"
        ]
        other = 'modparam("dispatcher", "table_name", "mine")\nroute[a] { if (!ds_select_dst(7, 4)) exit; }'
        assert codes(other, TableFacts(sets=NO_SETS)) == ["fragment"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:3306", "[::1]"])
def test_this_machine_goes_by_several_names(host: str) -> None:
    text = f'modparam("dispatcher", "db_url", "mysql://a:p@ss:w/d@{host}/opensips")\n'
    assert codes(text, TableFacts(database=("127.0.0.1", 3306, "opensips"))) == ["fragment"]


def test_a_listener_on_all_addresses_is_reported_before_4_0_only() -> None:
    text = HEAD + 'loadmodule "httpd.so"\nloadmodule "mi_http.so"\nroute { t_relay(); }\n'
    assert [codes(text, version=version) for version in VERSIONS] == [["mi-open"], ["mi-open"], []]


def test_two_routes_on_one_set_are_reported_with_both_places() -> None:
    one = "{\n if (!ds_select_dst(5, 4)) exit;\n}\n"
    (_, finding) = findings(f"route[a] {one}route[b] {one}")
    assert (finding.code, finding.place.line, finding.also) == ("set-shared", 5, (Location("t.cfg", 2),))
