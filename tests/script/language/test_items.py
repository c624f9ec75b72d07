"""What stands outside of routes."""

import pytest

from efcp.script.language.reading import parse
from efcp.script.language.syntax import LoadModule, ModuleParameter, RouteBlock, RouteKind, Setting
from tests.script.language.reading import FILE, at, codes, the_item


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('loadmodule "dispatcher.so"', "dispatcher"),
        ('loadmodule "/usr/lib/opensips/modules/tm.so"', "tm"),
        ("loadmodule 'db_mysql'", "db_mysql"),
    ],
)
def test_a_module_is_known_by_its_name(text: str, name: str) -> None:
    assert the_item(text) == LoadModule(at(1), name)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ('"text"', "text"),
        ("'te\"xt'", 'te"xt'),
        ('"one "\n  "two"', "one two"),
        ("10", 10),
        ("-1", -1),
        ("+1", 1),
        ("0x1f", 31),
        ("0666", 438),
        ("yes", 1),
        ("off", 0),
        ('"10"', "10"),
    ],
)
def test_a_parameter_is_a_text_or_a_number(value: str, meant: str | int) -> None:
    item = the_item(f'modparam("tm", "fr_timeout", {value})')
    assert item == ModuleParameter(at(1), "tm", ("tm",), "fr_timeout", meant)


@pytest.mark.parametrize(
    ("pattern", "modules"),
    [
        ("dispatcher|dialplan", ("dispatcher", "dialplan")),
        ("db_mysql", ("db_mysql",)),
        ("^auth_.*", ("^auth_.*",)),
    ],
)
def test_a_parameter_can_be_of_several_modules(pattern: str, modules: tuple[str, ...]) -> None:
    item = the_item(f'modparam("{pattern}", "a", 1)')
    assert isinstance(item, ModuleParameter)
    assert (item.pattern, item.modules) == (pattern, modules)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("log_level=3", "log_level", 3),
        ("log_level = -1", "log_level", -1),
        ("stderror_enabled=no", "stderror_enabled", 0),
        ("syslog_facility=LOG_LOCAL0", "syslog_facility", "LOG_LOCAL0"),
        ("udp_workers=4", "udp_workers", 4),
        ("udp_workers=4 use_auto_scaling_profile P", "udp_workers", "4 use_auto_scaling_profile P"),
        ('mpath="/usr/lib/"', "mpath", "/usr/lib/"),
        ('mpath="/a/":\n"/b/"', "mpath", '"/a/": "/b/"'),
        ("socket=udp:127.0.0.1:5060   # CUSTOMIZE ME", "socket", "udp:127.0.0.1:5060"),
        (
            "socket=udp:10.0.0.1:5060 as sip.example.com:5070 use_workers 4",
            "socket",
            "udp:10.0.0.1:5060 as sip.example.com:5070 use_workers 4",
        ),
        ("socket=udp:10.0.0.1:5060\n   use_workers 4", "socket", "udp:10.0.0.1:5060 use_workers 4"),
        ("socket=tcp:[2001:db8::1]:5060", "socket", "tcp:[2001:db8::1]:5060"),
        ("socket=udp:*:5060", "socket", "udp:*:5060"),
        (
            "socket=udp:eth0:5060-5070 anycast reuse_port tag foo",
            "socket",
            "udp:eth0:5060-5070 anycast reuse_port tag foo",
        ),
        ('socket=bond:b {"udp:1.1.1.1", "udp:2.2.2.2"}', "socket", 'bond:b {"udp:1.1.1.1", "udp:2.2.2.2"}'),
        ("listen=udp:127.0.0.1:5060", "listen", "udp:127.0.0.1:5060"),
        ("alias=udp:sip.my-example.com:5060", "alias", "udp:sip.my-example.com:5060"),
        ('alias="sip.example.com"', "alias", "sip.example.com"),
        ("advertised_address=1.2.3.4", "advertised_address", "1.2.3.4"),
        ("server_header='Server: mine'", "server_header", "Server: mine"),
        (
            'dst_blacklist = gw/expire,default:{( tcp , 10.0.0.1 , 5060 , "" ),\n !(any, 10.0.0.0/8)}',
            "dst_blacklist",
            'gw/expire,default:{( tcp , 10.0.0.1 , 5060 , "" ), !(any, 10.0.0.0/8)}',
        ),
        (
            "auto_scaling_profile = P\n scale up to 6 on 70% for 4 cycles within 5"
            "\n scale down to 2 on 20% for 5 cycles",
            "auto_scaling_profile",
            "P scale up to 6 on 70% for 4 cycles within 5 scale down to 2 on 20% for 5 cycles",
        ),
        ('mem-group = "one": "tm" "sl"', "mem-group", '"one": "tm" "sl"'),
        ("unheard_of = 1", "unheard_of", 1),
    ],
)
def test_a_setting_has_a_value(text: str, name: str, value: str | int) -> None:
    assert the_item(text) == Setting(at(1), name, value)


def test_settings_follow_each_other_on_one_line() -> None:
    script = parse("log_level=3 xlog_level=2\nloadmodule \"a.so\" loadmodule 'b.so'", FILE)
    assert codes(script) == []
    assert script.items == (
        Setting(at(1), "log_level", 3),
        Setting(at(1), "xlog_level", 2),
        LoadModule(at(2), "a"),
        LoadModule(at(2), "b"),
    )


@pytest.mark.parametrize(
    ("head", "kind", "name", "options"),
    [
        ("route", RouteKind.REQUEST, "", ()),
        ("route[0]", RouteKind.REQUEST, "", ()),
        ("route[1]", RouteKind.REQUEST, "1", ()),
        ("route[relay]", RouteKind.REQUEST, "relay", ()),
        ('route["my relay"]', RouteKind.REQUEST, "my relay", ()),
        ("route [ relay ]\n", RouteKind.REQUEST, "relay", ()),
        ("failure_route[missed_call]", RouteKind.FAILURE, "missed_call", ()),
        ("branch_route[b]", RouteKind.BRANCH, "b", ()),
        ("onreply_route", RouteKind.REPLY, "", ()),
        ("onreply_route[handle_nat]", RouteKind.REPLY, "handle_nat", ()),
        ("error_route", RouteKind.ERROR, "", ()),
        ("local_route", RouteKind.LOCAL, "", ()),
        ("startup_route", RouteKind.STARTUP, "", ()),
        ("timer_route[gc, 60]", RouteKind.TIMER, "gc", ("60",)),
        ("event_route[E_DISPATCHER_STATUS]", RouteKind.EVENT, "E_DISPATCHER_STATUS", ()),
    ],
)
def test_a_route_has_a_kind_and_a_name(
    head: str, kind: RouteKind, name: str, options: tuple[str, ...]
) -> None:
    route = the_item(head + "{ exit; }")
    assert isinstance(route, RouteBlock)
    assert (route.place, route.kind, route.name, route.options) == (at(1), kind, name, options)
    assert len(route.body) == 1


def test_the_old_sync_of_an_event_route_is_kept_and_refused() -> None:
    script = parse("event_route[E_PIKE_BLOCKED, sync] { exit; }", FILE)
    assert next(script.routes).options == ("sync",)
    assert codes(script) == [("syntax", 1)]


def test_includes_are_left_out_of_a_single_text() -> None:
    script = parse("log_level=3\ninclude_file \"a.cfg\"\n  import_file 'b.cfg' ;\nudp_workers=4", FILE)
    assert codes(script) == []
    assert [(item.place.line) for item in script.items] == [1, 4]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("loadmodule dispatcher", 1),
        ("loadmodule\nlog_level=3", 1),
        ('modparam(tm, "fr_timeout", 5)', 1),
        ('modparam("tm", "fr_timeout")', 1),
        ('modparam("tm", "fr_timeout", )', 1),
        ('modparam("tm", "fr_timeout", 5', 1),
        ("log_level=3;", 1),
        ("log_level=", 1),
        ("log_level=\nxlog_level=3", 1),
        ("route { exit; };", 1),
        ('log_level=3\nxlog("a");', 2),
        ("log_level=3\ninclude_file a.cfg", 2),
        ("route[a-b] { exit; }", 1),
        ("route[error] { exit; }", 1),
        ("route[$var(x)] { exit; }", 1),
        ("failure_route[route] { exit; }", 1),
        ("failure_route { exit; }", 1),
        ("error_route[a] { exit; }", 1),
        ("timer_route[a] { exit; }", 1),
        ("timer_route[a, b] { exit; }", 1),
        ("route[a] exit;", 1),
        ("route[a] { }", 1),
        ("route[a { exit; }", 1),
    ],
)
def test_what_the_proxy_refuses_is_an_error(text: str, line: int) -> None:
    assert codes(parse(text, FILE))[0] == ("syntax", line)


def test_what_follows_a_mistake_is_read() -> None:
    script = parse('modparam("tm", 5)\nloadmodule x\nfoo bar\nloadmodule "tm.so"\nroute[a { exit; }', FILE)
    assert LoadModule(at(4), "tm") in script.items
    assert [route.name for route in script.routes] == ["a"]
    assert script.skipped == 3


def test_a_bracket_too_many_is_reported() -> None:
    script = parse("route {\n exit;\n}\n}\nroute[b] {\n exit;\n}", FILE)
    assert codes(script) == [("stray-bracket", 4)]
    assert [route.name for route in script.routes] == ["", "b"]


def test_a_value_whose_bracket_is_not_closed_is_reported() -> None:
    script = parse('log_level=3\ndst_blacklist = a:{(any, 1.1.1.1)\nloadmodule "a"\nroute { exit; }', FILE)
    assert codes(script) == [("unclosed-block", 2)]
    assert len(list(script.routes)) == 1


def test_a_route_that_is_not_closed_ends_where_the_next_begins() -> None:
    script = parse("route {\n if ($rU == NULL) {\n  exit;\n}\nroute[b] {\n exit;\n}", FILE)
    assert codes(script) == [("unclosed-block", 1)]
    assert [route.name for route in script.routes] == ["", "b"]
