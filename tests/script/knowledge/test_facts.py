"""What is known of each version, against what the proxies and their sources say."""

import pytest

from efcp.script.checking.settings import FORMS
from efcp.script.knowledge.facts import (
    VERSIONS,
    ArgumentType,
    Knowledge,
    ParameterType,
    knowledge_of,
    renamed,
)
from efcp.script.language.syntax import RouteKind

OF_THE_GUIDE = ("dispatcher", "dialplan", "db_mysql", "tm", "sl", "rr", "proto_udp", "mi_http", "httpd")


@pytest.fixture(params=VERSIONS)
def known(request: pytest.FixtureRequest) -> Knowledge:
    """What is known of one version."""
    return knowledge_of(request.param)


def test_the_versions_are_those_that_the_panel_serves() -> None:
    assert VERSIONS == ("3.4", "3.6", "4.0")


@pytest.mark.parametrize("version", ["3.3", "4", "", "../3.4"])
def test_another_version_is_not_known(version: str) -> None:
    with pytest.raises(ValueError, match="not described"):
        knowledge_of(version)


def test_a_version_is_read_once(known: Knowledge) -> None:
    assert knowledge_of(known.version) is known


def test_every_version_has_the_modules_of_a_usual_proxy(known: Knowledge) -> None:
    assert len(known.modules) >= 35
    assert known.modules.keys() >= set(OF_THE_GUIDE)


def test_every_module_names_its_source(known: Knowledge) -> None:
    assert all(f" of {known.version}." in module.source for module in known.modules.values())


def test_what_is_described_is_not_among_the_others(known: Knowledge) -> None:
    assert not known.modules.keys() & known.other_modules


def test_what_is_required_exists(known: Knowledge) -> None:
    shipped = known.modules.keys() | known.other_modules
    for module in known.modules.values():
        for needed in module.prerequisites:
            assert set(needed.one_of) <= shipped, module.name
            assert not needed.when or needed.when in module.parameters, module.name


def test_what_replaces_a_parameter_exists(known: Knowledge) -> None:
    for module in known.modules.values():
        for parameter in module.parameters.values():
            assert not parameter.replaced_by or parameter.replaced_by in module.parameters


def test_functions_take_arguments_in_a_range(known: Knowledge) -> None:
    for module in known.modules.values():
        for function in module.functions.values():
            assert 0 <= function.at_least <= function.at_most
            assert len(function.takes) <= function.at_most
            assert function.routes


@pytest.mark.parametrize(
    ("module", "name", "at_least", "at_most", "integers"),
    [
        ("dispatcher", "ds_select_dst", 2, 5, {1, 2, 5}),
        ("dispatcher", "ds_next_dst", 0, 1, set()),
        ("dispatcher", "ds_mark_dst", 0, 2, set()),
        ("dialplan", "dp_translate", 2, 5, {1}),
        ("tm", "t_relay", 0, 2, set()),
        ("tm", "t_reply", 2, 2, {1}),
        ("tm", "t_on_failure", 1, 1, set()),
        ("sl", "sl_send_reply", 2, 2, {1}),
        ("signaling", "send_reply", 2, 2, {1}),
        ("rr", "loose_route", 0, 0, set()),
    ],
)
def test_a_function_takes_so_many_arguments(
    known: Knowledge, module: str, name: str, at_least: int, at_most: int, integers: set[int]
) -> None:
    function = known.modules[module].functions[name]
    assert (function.at_least, function.at_most) == (at_least, at_most)
    kinds = enumerate(function.takes, start=1)
    assert {position for position, each in kinds if each.type is ArgumentType.INTEGER} == integers


def test_a_stateless_reply_has_no_place_in_a_failure_route(known: Knowledge) -> None:
    assert RouteKind.FAILURE not in known.modules["sl"].functions["sl_send_reply"].routes
    assert RouteKind.FAILURE in known.modules["tm"].functions["t_reply"].routes


def test_a_function_for_every_route_is_for_all_of_them(known: Knowledge) -> None:
    assert known.modules["dispatcher"].functions["ds_push_script_attrs"].routes == set(RouteKind)


@pytest.mark.parametrize("name", ["ds_foo", "ds_ping_intervall", "db-url", ""])
def test_the_dispatcher_has_no_such_parameter(known: Knowledge, name: str) -> None:
    assert name not in known.modules["dispatcher"].parameters


@pytest.mark.parametrize(
    ("module", "name", "kind"),
    [
        ("dispatcher", "db_url", ParameterType.STRING),
        ("dispatcher", "ds_ping_interval", ParameterType.INTEGER),
        ("dispatcher", "options_reply_codes", ParameterType.STRING),
        ("tm", "fr_timeout", ParameterType.INTEGER),
        ("httpd", "buf_size", ParameterType.INTEGER),
        ("mi_http", "root", ParameterType.STRING),
    ],
)
def test_a_parameter_takes_its_type(known: Knowledge, module: str, name: str, kind: ParameterType) -> None:
    assert known.modules[module].parameters[name].type is kind


def test_the_threshold_has_two_spellings_of_which_one_is_old(known: Knowledge) -> None:
    parameters = known.modules["dispatcher"].parameters
    assert parameters["ds_probing_threshhold"].replaced_by == "ds_probing_threshold"
    assert parameters["ds_probing_threshold"].replaced_by == ""


def test_the_dispatcher_needs_a_database_and_tm_where_it_probes(known: Knowledge) -> None:
    database, tm, *_ = known.modules["dispatcher"].prerequisites
    assert {"db_mysql", "db_postgres", "db_sqlite", "db_text"} <= set(database.one_of)
    assert (database.before, database.when) == (True, "")
    assert (tm.one_of, tm.when) == (("tm",), "ds_ping_interval")


def test_a_reply_needs_sl_or_tm(known: Knowledge) -> None:
    assert known.modules["signaling"].prerequisites[0].one_of == ("sl", "tm")


@pytest.mark.parametrize("name", ["xlog", "route", "setdsturi", "force_rport", "is_myself"])
def test_core_functions_need_no_module(known: Knowledge, name: str) -> None:
    assert name in known.core_functions


@pytest.mark.parametrize("name", ["socket", "udp_workers", "log_level", "mpath", "stderror_enabled"])
def test_settings_are_known(known: Knowledge, name: str) -> None:
    assert name in known.settings


@pytest.mark.parametrize("name", ["loadmodule", "modparam", "route", "ds_ping_interval"])
def test_statements_are_no_settings(known: Knowledge, name: str) -> None:
    assert name not in known.settings


@pytest.mark.parametrize("name", ["if", "drop", "route", "xlog", "and", "null", "default"])
def test_words_of_the_language_are_known(known: Knowledge, name: str) -> None:
    assert name in known.words


@pytest.mark.parametrize(
    ("module", "function", "classes"),
    [
        ("dialplan", "dp_translate", ["int", "string", "var", "var", "string"]),
        ("tm", "t_reply", ["int", "string"]),
        ("tm", "t_on_failure", ["string"]),
        ("registrar", "save", ["static", "string", "string", "string"]),
        ("textops", "subst", ["plain"]),
        ("tm", "t_check_status", ["regex"]),
    ],
)
def test_an_argument_has_its_class(known: Knowledge, module: str, function: str, classes: list[str]) -> None:
    assert [argument.type for argument in known.modules[module].functions[function].takes] == classes


def test_flags_have_their_names_in_the_order_of_their_bits(known: Knowledge) -> None:
    flags = known.modules["nathelper"].functions["nat_uac_test"].values[1]
    assert flags[:3] == ("private-contact", "diff-ip-src-via", "private-via")


@pytest.mark.parametrize(
    ("name", "is_bare", "is_named", "is_indexed", "is_writable"),
    [
        ("ru", True, False, False, True),
        ("ci", True, False, False, False),
        ("hdr", False, True, True, False),
        ("avp", False, True, True, True),
        ("socket_in", True, True, False, False),
    ],
)
def test_a_variable_stands_so(
    known: Knowledge, name: str, is_bare: bool, is_named: bool, is_indexed: bool, is_writable: bool
) -> None:
    variable = known.variables[name]
    assert (variable.is_bare, variable.is_named, variable.is_indexed) == (is_bare, is_named, is_indexed)
    assert variable.is_writable is is_writable


def test_variables_of_modules_are_theirs(known: Knowledge) -> None:
    assert "Ri" not in known.variables
    assert "DLG_status" in known.modules["dialog"].variables
    assert "rest" in known.modules["rest_client"].transformations
    assert "sleep" in known.modules["cfgutils"].async_functions


def test_every_form_of_a_setting_is_one_that_the_check_knows(known: Knowledge) -> None:
    assert {form for forms in known.settings.values() for form in forms} <= FORMS.keys()


def test_a_name_is_called_old_only_where_it_is_gone_or_warned_of() -> None:
    newest = knowledge_of("4.0")
    old = renamed()
    assert not old["variables"].keys() & newest.variables.keys()
    assert not old["modules"].keys() & newest.modules.keys() - {"mi_xmlrpc"}
    assert not old["settings"].keys() & newest.settings.keys() - {"tcp_threads"}
    for name in old["parameters"]:
        module, _, parameter = name.partition(".")
        assert parameter not in newest.modules[module].parameters
    for name in old["functions"]:
        assert name not in newest.core_functions
        assert not any(name in module.functions for module in newest.modules.values())


# Where the versions really differ.


def test_a_partition_has_a_socket_of_its_own_from_3_6_on() -> None:
    having = {v for v in VERSIONS if "ping_sock" in knowledge_of(v).modules["dispatcher"].partition_keys}
    assert having == {"3.6", "4.0"}


def test_a_date_is_turned_to_a_time_from_3_6_on() -> None:
    assert {v for v in VERSIONS if "date2unix" in knowledge_of(v).transformations["s"]} == {"3.6", "4.0"}


def having(module: str, parameter: str) -> set[str]:
    return {version for version in VERSIONS if parameter in knowledge_of(version).modules[module].parameters}


def test_httpd_requires_a_password_since_4_0_only() -> None:
    assert having("httpd", "auth_username") == {"4.0"}


def test_httpd_has_a_receive_buffer_since_3_6() -> None:
    assert having("httpd", "receive_buf_size") == {"3.6", "4.0"}


def test_usrloc_lost_db_mode_in_4_0() -> None:
    assert having("usrloc", "db_mode") == {"3.4", "3.6"}


def test_avpops_and_event_route_are_gone_from_3_6_and_sqlops_came() -> None:
    modules = {version: knowledge_of(version).modules.keys() for version in VERSIONS}
    assert {"avpops", "event_route"} <= modules["3.4"]
    assert not {"avpops", "event_route"} & (modules["3.6"] | modules["4.0"])
    assert "sqlops" not in modules["3.4"]
    assert "sqlops" in modules["3.6"] & modules["4.0"]


def test_listen_was_a_setting_until_4_0() -> None:
    assert {version for version in VERSIONS if "listen" in knowledge_of(version).settings} == {"3.4", "3.6"}


def test_the_core_names_its_statements_as_the_version_does() -> None:
    assert knowledge_of("3.4").core_functions["assert"].at_least == 2
    assert knowledge_of("3.6").core_functions["assert"].at_least == 1
