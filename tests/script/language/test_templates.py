"""Templates that were not rendered, and texts that are no script."""

import pytest

from efcp.script.findings import ScriptFinding, ScriptSeverity
from efcp.script.language.reading import read_text

SOUND = 'socket=udp:127.0.0.1:5060\nloadmodule "proto_udp.so"\nroute { exit; }\n'


def found(text: str) -> list[ScriptFinding]:
    return list(read_text(text, "t.cfg").findings)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("log_level={{ level }}", "Jinja or Mustache"),
        ("{{#debug}}", "Jinja or Mustache"),
        ("{% if debug %}", "Jinja"),
        ("{%- for each in sockets %}", "Jinja"),
        ("<% if @debug %>", "ERB"),
        ("socket=udp:${IP}:5060", "variables of the environment"),
        ("define(`PORT', `5060')", "m4"),
        ("changequote([, ])", "m4"),
        ("dnl a comment of m4", "m4"),
        ("ifelse(TCP, `yes', `socket=tcp:127.0.0.1:5060', `')", "m4"),
    ],
)
def test_a_template_is_reported_once_with_what_to_do(line: str, kind: str) -> None:
    (finding,) = found(f"{line}\n{SOUND}")
    assert (finding.code, finding.severity, finding.place.line) == ("template", ScriptSeverity.ERROR, 1)
    assert f"({kind})" in finding.text
    assert "render it first" in finding.text


def test_one_finding_has_all_places_of_a_template() -> None:
    (finding,) = found(f"log_level={{{{ a }}}}\n{SOUND}udp_workers={{{{ b }}}}\n")
    assert (finding.place.line, [place.line for place in finding.also]) == (1, [5])


@pytest.mark.parametrize("text", ["mysql://{{ user }}@db/opensips", "{% x %}", "<%= url %>"])
def test_a_part_of_a_template_in_a_text_is_a_warning(text: str) -> None:
    (finding,) = found(f'{SOUND}modparam("tm", "x", "{text}")\n')
    assert (finding.code, finding.severity) == ("template", ScriptSeverity.WARNING)


@pytest.mark.parametrize(
    "text",
    [
        "# {{ in a comment }}\n",
        "/* {% raw %} */\n",
        'route[a] { xlog("{\\"a\\": {\\"b\\": $rs}}"); }\n',
        "route[a] { $var(x) = $(ru{s.substr,0,3}{s.len}); }\n",
        "route[a] { if ($var(x) < 5) { exit; } }\n",
        "route[a] { xlog('it`s'); }\n",
    ],
)
def test_what_only_looks_like_a_template_is_none(text: str) -> None:
    assert [finding.code for finding in found(SOUND + text)] == []


def test_a_text_that_is_no_script_is_one_error() -> None:
    (finding,) = found("Dear reader,\nthis is a letter.\n\nYours, me\n")
    assert (finding.code, finding.severity) == ("not-understood", ScriptSeverity.ERROR)
    assert "Not an OpenSIPS script" in finding.text


def test_a_script_of_kamailio_is_known_by_its_main_route() -> None:
    assert any("Kamailio" in finding.text for finding in found("request_route {\n  exit;\n}\n" + SOUND))


def test_what_is_not_understood_is_an_error() -> None:
    (finding,) = found(f"{SOUND}what is this\n")
    assert (finding.code, finding.severity, finding.place.line) == ("not-understood", ScriptSeverity.ERROR, 4)
