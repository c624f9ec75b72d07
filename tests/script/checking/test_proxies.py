"""What stops a proxy of OpenSIPS 3.4.18, 3.6.8 or 4.0.1, and what does not: each line was tried on all three.

Every case is a part of a script that starts otherwise. `stops` are the versions that do not start with it.
"""

from dataclasses import dataclass

import pytest

from efcp.script.checking.check import check
from efcp.script.findings import ScriptFinding, ScriptSeverity
from efcp.script.knowledge.facts import VERSIONS, knowledge_of
from efcp.script.language.reading import read_text

URL = "mysql://proxy:secret@db.example.com/opensips"
MODULES = "proto_udp tm sl rr signaling sipmsgops maxfwd db_mysql dispatcher dialplan cfgutils nathelper auth"
NONE: tuple[str, ...] = ()
ALL = VERSIONS


@dataclass(frozen=True)
class Part:
    """What is put into the script: `route` holds statements, `more` lines below the modules, `head` above."""

    stops: tuple[str, ...]
    code: str
    route: str = "exit;"
    more: str = ""
    head: str = ""
    socket: str = "socket=udp:127.0.0.1:5060"
    routes: str = ""

    @property
    def script(self) -> str:
        modules = "\n".join(f'loadmodule "{name}.so"' for name in MODULES.split())
        urls = f'modparam("dispatcher", "db_url", "{URL}")\nmodparam("dialplan", "db_url", "{URL}")'
        resumed = "route[resumed] { exit; }\nfailure_route[1] { exit; }\n"
        main = f"route {{\n{self.route}\n}}\n{resumed}{self.routes}"
        return f"{self.socket}\n{self.head}\n{modules}\n{urls}\n{self.more}\n{main}"


def statement(text: str, stops: tuple[str, ...], code: str = "") -> Part:
    return Part(stops, code, route=text)


def parameter(name: str, value: str, stops: tuple[str, ...], code: str = "parameter-value") -> Part:
    more = f'modparam("dispatcher", "ds_ping_interval", 5)\nmodparam("dispatcher", "{name}", {value})'
    return Part(stops, code, more=more)


def partition(value: str, stops: tuple[str, ...], module: str = "dispatcher") -> Part:
    return Part(stops, "parameter-value", more=f'modparam("{module}", "partition", "{value}")')


def setting(text: str, stops: tuple[str, ...], code: str = "setting-value") -> Part:
    return Part(stops, code, head=text)


def tls(value: str, stops: tuple[str, ...], before: str = "") -> Part:
    more = f'loadmodule "tls_openssl.so"\nloadmodule "tls_mgm.so"\n{before}'
    return Part(stops, "parameter-value", more=f'{more}\nmodparam("tls_mgm", "certificate", "{value}")')


PARTS = [
    # A statement that is an expression too.
    statement("if (!async(sleep(1), resumed)) { exit; }", NONE),
    statement("$var(r) = async(sleep(1), resumed);", NONE),
    statement("if (exit) { drop; }", NONE),
    statement("async(sleep(1) resumed);", ALL, "syntax"),
    statement("async(nosuch(1), resumed);", ALL, "function-unknown"),
    statement("async(xlog(1), resumed);", ALL, "function-unknown"),
    # event_route became a part of the core.
    Part(NONE, "", more='loadmodule "event_route.so"'),
    Part(("3.4",), "module-missing", routes="event_route[E_DISPATCHER_STATUS] { exit; }\n"),
    # Variables that have to stand bare, and numbers where a text is wanted.
    statement('if (dp_translate(1, "$rU", "$rU")) exit;', ALL, "argument-type"),
    statement('if (dp_translate(1, "$rU", $rU)) exit;', NONE),
    statement("setflag(1);", ALL, "argument-type"),
    statement('setflag("1");', NONE),
    statement("t_on_failure(1);", ALL, "argument-type"),
    statement('t_on_failure("1");', NONE),
    statement("nat_uac_test(19);", ALL, "argument-type"),
    statement('nat_uac_test("19");', ALL, "argument-value"),
    statement('nat_uac_test("private-contact,diff-ip-src-via");', NONE),
    statement("fix_nated_sdp(1);", ALL, "argument-type"),
    statement('fix_nated_sdp("3");', ALL, "argument-value"),
    statement("t_reply(404, 5);", ALL, "argument-type"),
    statement('t_reply(4, "x");', ALL, "argument-value"),
    statement('send_reply(700, "x");', ALL, "argument-value"),
    statement('send_reply($var(x), "x");', NONE),
    statement('mf_process_maxfwd_header("10");', ALL, "argument-type"),
    statement("mf_process_maxfwd_header(0);", ALL, "argument-value"),
    statement('www_challenge("x", "0");', ALL, "argument-value"),
    statement('if (is_method("INVITE|FOO")) exit;', ALL, "argument-value"),
    statement('if (is_method("FOO")) exit;', NONE),
    statement('t_relay("0x02");', ALL, "argument-value"),
    statement("t_relay(0x02);", ALL, "argument-type"),
    statement('xlog("L_FOO", "x");', ALL, "argument-value"),
    statement('xlog("L_INFO", "x");', NONE),
    statement('xlog("");', ALL, "argument-value"),
    # Variables and transformations.
    statement('xlog("$foo");', ALL, "variable-unknown"),
    statement('xlog("$Ri");', ALL, "variable-unknown"),
    statement('if ($Ri == "x") exit;', ALL, "variable-unknown"),
    statement('append_hf("X: $Ri\\r\\n");', ALL, "variable-unknown"),
    statement("$var(x) = $(ru{s.foo});", ALL, "transformation-unknown"),
    statement('xlog("$(ru{s.foo})");', ALL, "transformation-unknown"),
    statement("$var(x) = $(ru{q.len});", ALL, "transformation-unknown"),
    statement("$var(x) = $(ru{s.substr,1});", ALL, "transformation-unknown"),
    statement("$var(x) = $(ru{s.select,0,,}{uri.param,a}{re.subst,/^a{2},b/\\1/g});", NONE),
    statement('xlog("$DLG_status");', ALL, "variable-without-module"),
    statement("$var(x) = $dlg_val(x);", ALL, "variable-without-module"),
    statement('$ci = "x";', ALL, "variable-read-only"),
    statement('$(ru{uri.user}) = "x";', ALL, "variable-read-only"),
    statement('if ($ci = "x") exit;', ALL, "variable-read-only"),
    statement('xlog("$(ru[0])");', ALL, "variable-malformed"),
    statement('xlog("$hdr");', ALL, "variable-malformed"),
    statement('xlog("$socket_in(foo)");', ALL, "variable-malformed"),
    statement('xlog("$branch(foo)");', ALL, "variable-malformed"),
    statement('xlog("$(avp(x)[*]) $(hdr(Via)[-1]) $(avp(x)[append]) $(<request>ru)");', NONE),
    statement('xlog("costs $5");', ALL, "variable-unknown"),
    statement('xlog("costs $$5");', NONE),
    statement('xlog("costs 5 $");', ALL, "variable-unknown"),
    statement("$var(x) = $ru{uri.user};", NONE),
    statement("$var(x) = $avp(a)[0];", ALL, "syntax"),
    statement('assert($foo == 1, "x");', ALL, "variable-unknown"),
    # Regular expressions.
    statement('if ($ru =~ "*abc") exit;', ALL, "regex-malformed"),
    statement('if ($ru =~ "^+49") exit;', ALL, "regex-malformed"),
    statement('if ($ru =~ "^(?!a)") exit;', ALL, "regex-malformed"),
    statement('if (!($ru =~ "a(b")) exit;', ALL, "regex-malformed"),
    statement('t_check_status("5[0-9");', ALL, "regex-malformed"),
    statement('if ($ru =~ "^sip:[[:digit:]]+@(a|b)\\\\d$") exit;', NONE),
    # Settings.
    setting("udp_workers=four", ALL),
    setting("log_level=${LEVEL}", ALL),
    setting("syslog_facility=LOCAL0", ALL),
    setting("tcp_connect_timeout=0", ALL),
    setting('log_prefix="x"', NONE),
    setting("children=4", ALL, "setting-unknown"),
    setting("log_facility=LOG_LOCAL0", ("4.0",), "setting-unknown"),
    setting("log_level=3;", ALL, "syntax"),
    Part(ALL, "setting-value", socket="socket=udp:${IP}:5060"),
    Part(ALL, "setting-value", socket="socket=upd:127.0.0.1:5060"),
    Part(ALL, "setting-value", socket="socket=127.0.0.1:5060"),
    Part(ALL, "setting-value", socket="socket=udp:127.0.0.300:5060"),
    Part(ALL, "setting-value", socket="socket=udp:127.0.0.1:"),
    Part(("4.0",), "setting-unknown", socket="listen=udp:127.0.0.1:5060"),
    Part(NONE, "", socket="socket=udp:127.0.0.1:5060 as 203.0.113.1:5060 use_workers 2"),
    # Words of versions before 3.0.
    statement('if (method=="INVITE") exit;', ALL, "syntax"),
    statement("if (uri==myself) exit;", ALL, "syntax"),
    statement('if (ds_select_dst(1, 4, "FM3")) exit;', ALL, "flag-unknown"),
    Part(ALL, "mark-swapped", routes='failure_route[a] { ds_mark_dst("default", "p"); }\n'),
    # Values of the dispatcher's parameters.
    parameter("ds_probing_list", '"1,2,x"', ALL),
    parameter("ds_probing_list", '"1,2,"', ALL),
    parameter("ds_probing_list", '""', ALL),
    parameter("ds_probing_list", '"1 2"', ALL),
    parameter("ds_probing_list", '"1, 2"', NONE),
    parameter("ds_probing_list", '"1,f"', NONE),
    parameter("options_reply_codes", '"404,abc"', ALL),
    parameter("options_reply_codes", '"99"', ALL),
    parameter("options_reply_codes", '"404,"', ALL),
    parameter("options_reply_codes", '""', ALL),
    parameter("options_reply_codes", '"404, 405 "', NONE),
    Part(NONE, "", more='modparam("dispatcher", "options_reply_codes", "404,abc")'),
    parameter("ds_probing_sock", '"udp:127.0.0.1:9999"', ALL),
    parameter("ds_probing_sock", '"foo"', ALL),
    parameter("ds_probing_sock", '"udp:127.0.0.1:5060"', NONE),
    parameter("ds_probing_sock", '"127.0.0.1:5060"', NONE),
    parameter("ds_probing_sock", '"udp:127.0.0.1"', NONE),
    parameter("ds_define_blacklist", '"1,2"', ALL),
    parameter("ds_define_blacklist", '"list=1,x"', ALL),
    parameter("ds_define_blacklist", '"list="', ALL),
    parameter("ds_define_blacklist", '"list=1,2"', NONE),
    parameter("attrs_avp", '"ds_attrs"', ALL),
    parameter("attrs_avp", '"$var(x)"', ALL),
    parameter("attrs_avp", '"$avp(x)"', NONE),
    parameter("dst_avp", '"foo"', ALL),
    parameter("hash_pvar", '"$foo"', ALL),
    parameter("hash_pvar", '"abc"', NONE),
    parameter("setid_pvar", '"$ci"', ALL),
    parameter("setid_pvar", '"abc"', ALL),
    parameter("ds_ping_method", '"OPTION"', NONE),
    parameter("ds_ping_from", '"probe@host"', NONE),
    Part(ALL, "parameter-value", more='modparam("dispatcher", "db_url", "mysql:/x")'),
    # Definitions of partitions.
    partition(f"p: db_url={URL}; table_name=dispatcher", NONE),
    partition(f"p: db_url={URL}; table_nam=dispatcher", ALL),
    partition(f"p: db_url={URL}; table_name=", ALL),
    partition(f"p: db_url={URL}; ping_sock=udp:127.0.0.1:5060", ("3.4",)),
    partition(f"p: db_url={URL}; ping_from=sip:a@b", ("3.4",)),
    partition(f"p: db_url={URL}; ping_sock=udp:127.0.0.1:999", ALL),
    partition(f"p: db_url={URL}; table_name=dialplan", NONE, "dialplan"),
    partition(f"p: db_url={URL}; table=dialplan", ALL, "dialplan"),
    partition("p", NONE, "dialplan"),
    # Values that the functions of other modules' parameters refuse.
    Part(
        ALL, "parameter-value", more='loadmodule "acc.so"\nmodparam("acc", "extra_fields", "a->2345;b->2346")'
    ),
    Part(ALL, "parameter-value", more='loadmodule "acc.so"\nmodparam("acc", "leg_fields", "sql: a->b")'),
    Part(NONE, "", more='loadmodule "acc.so"\nmodparam("acc", "extra_fields", "log: a->b; c")'),
    Part(
        ALL,
        "parameter-value",
        more='loadmodule "proto_hep.so"\nmodparam("proto_hep", "hep_id", "1.2.3.4:5000")',
    ),
    tls("/etc/x.pem", ALL),
    tls("[default]/etc/x.pem", ALL),
    # A proxy needs the file, too.
    tls("[a]/etc/x.pem", NONE, 'modparam("tls_mgm", "server_domain", "a")'),
]


def errors(text: str, version: str) -> list[ScriptFinding]:
    found = check(read_text(text, "t.cfg"), knowledge_of(version)).findings
    return [finding for finding in found if finding.severity is ScriptSeverity.ERROR]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.route}{part.more[-50:]}{part.head}"[:70])
def test_only_what_keeps_a_proxy_from_starting_is_an_error(part: Part, version: str) -> None:
    found = errors(part.script, version)
    if version in part.stops:
        assert part.code in {finding.code for finding in found}
    else:
        assert found == []


@pytest.mark.parametrize(
    ("part", "code", "advice"),
    [
        (statement('xlog("$Ri");', ALL), "variable-unknown", "$socket_in(ip)"),
        (
            statement('if (dp_translate(1, $rU, "$rU")) exit;', ALL),
            "argument-type",
            "Write $rU without quotes.",
        ),
        (
            statement("nat_uac_test(19);", ALL),
            "argument-type",
            '"private-contact,diff-ip-src-via,diff-port-src-via"',
        ),
        (statement('t_relay("0x02");', ALL), "argument-value", '"no-auto-477"'),
        (statement('if (method=="INVITE") exit;', ALL), "syntax", 'is_method("INVITE")'),
        (statement('if (ds_select_dst(1, 4, "FM3")) exit;', ALL), "flag-unknown", '"f", , 3'),
        (setting("children=4", ALL), "setting-unknown", "udp_workers"),
        (setting("debug=3", ALL), "setting-unknown", "log_level"),
        (Part(ALL, "", socket="socket=upd:127.0.0.1:5060"), "setting-value", "but udp"),
        (
            Part(ALL, "", routes='failure_route[a] { ds_mark_dst("default", "p"); }\n'),
            "mark-swapped",
            '"p", "default"',
        ),
        (parameter("ds_ping_method", '"OPTION"', NONE), "parameter-doubtful", "OPTION"),
        (parameter("ds_ping_from", '"probe@host"', NONE), "parameter-doubtful", "sip:"),
        (parameter("ds_probing_mode", "2", NONE), "parameter-doubtful", "0 (those that failed) and 1 (all)"),
        (parameter("ds_ping_maxfwd", "300", NONE), "parameter-doubtful", "255"),
        (parameter("ds_probing_list", '"-1"', NONE), "parameter-doubtful", "-1"),
        (statement("$var(x) = $ru{uri.user};", NONE), "variable-tail", "$(ru{uri.user})"),
        (
            Part(NONE, "", more='loadmodule "usrloc.so"\nmodparam("usrloc", "db_mode", 2)'),
            "parameter-old",
            "sql-write-back",
        ),
        (Part(NONE, "", more='loadmodule "event_route.so"'), "module-needless", "Remove it"),
        (Part(NONE, "", socket="listen=udp:127.0.0.1:5060"), "setting-old", "socket"),
        (setting("log_stderror=yes", NONE), "setting-old", "stderror_enabled"),
    ],
)
def test_each_finding_shows_what_to_write(part: Part, code: str, advice: str) -> None:
    found = check(read_text(part.script, "t.cfg"), knowledge_of("3.6")).findings
    texts = [finding.text for finding in found if finding.code == code]
    assert texts
    assert any(advice in text for text in texts)


@pytest.mark.parametrize("version", VERSIONS)
def test_without_any_protocol_the_proxy_does_not_start(version: str) -> None:
    found = errors("route { exit; }\n", version)
    assert {finding.code for finding in found} == {"no-listener", "protocol-missing"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_text_that_is_no_script_is_one_error(version: str) -> None:
    text = "Dear reader,\n\nthis is a letter, and no script.\n\nYours\n"
    assert [finding.code for finding in errors(text, version)] == ["not-understood"]
