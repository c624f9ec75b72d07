"""The words of a script, as OpenSIPS's scanner has them."""

import pytest

from efcp.script.findings import ScriptSeverity
from efcp.script.language.tokens import TokenKind, Tokens, one_file, tokenize, unquoted


def scan(text: str) -> Tokens:
    return tokenize(one_file(text, "test.cfg"))


def words(text: str) -> list[str]:
    return [token.text for token in scan(text).tokens[:-1]]


@pytest.mark.parametrize(
    "text",
    [
        "$ru",
        "$T_reply_code",
        "$var(x)",
        "$(avp(a)[0])",
        "$ru{uri.user}",
        "$(ru{uri.user})",
        "$(avp(x)[*])",
        "$(hdr(Via)[-1]{via.host})",
        "$hdr(X-My Header)",
        "$time(%H:%M)",
        "$(<reply>ru)",
    ],
)
def test_a_variable_is_one_token(text: str) -> None:
    token, _ = scan(text).tokens
    assert (token.kind, token.text) == (TokenKind.VARIABLE, text)


@pytest.mark.parametrize("after", [";", ",", ")", "=", "==", "+", "-1", " ", "\n", ":=", "&&", "and"])
def test_a_variable_ends_before_what_follows(after: str) -> None:
    assert words(f"$rU{after}")[0] == "$rU"


def test_the_first_round_bracket_ends_a_variable() -> None:
    assert words("$avp(a)[0]") == ["$avp(a)", "[", "0", "]"]


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1", "10.0.0.0/8", "10.0.0.0/255.0.0.0", "::1", "2001:db8::1", "fe80::/10", "1:2:3:4:5:6:7:8"],
)
def test_an_address_is_one_token(text: str) -> None:
    token, _ = scan(text).tokens
    assert (token.kind, token.text) == (TokenKind.ADDRESS, text)


def test_operators_are_taken_as_long_as_they_go() -> None:
    text = "== =~ != !~ <= >= << >> && || := += -= *= /= %= &= |= ^= = < > ! & | ^ ~ + - * / %"
    assert words(text) == text.split()
    assert words("(){}[],;:.") == list("(){}[],;:.")
    assert words("a==b") == ["a", "==", "b"]
    assert words("$x=-1") == ["$x", "=", "-", "1"]


@pytest.mark.parametrize(
    "text",
    [
        "# one\nexit",
        "#!opensips\nexit",
        "####### Routing #######\nexit",
        "/* one\n two */ exit",
        "/* one /* two */ three */ exit",
        "\\\nexit",
        "\r\n\texit",
    ],
)
def test_comments_and_blanks_are_left_out(text: str) -> None:
    assert words(text) == ["exit"]


def test_a_comment_ends_at_the_end_of_its_line_and_lines_are_counted_through() -> None:
    tokens = scan('# a "\n/* b\n c */ one\n"d\n e"; two').tokens
    assert [(token.text, token.line) for token in tokens[:-1]] == [
        ("one", 3),
        ('"d\n e"', 4),
        (";", 5),
        ("two", 5),
    ]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('"plain"', "plain"),
        (r'"a\"b\\c"', 'a"b\\c'),
        (r'"one\r\n\ttwo"', "one\r\n\ttwo"),
        (r'"\x41\102"', "AB"),
        (r'"\1 \. \d"', r"\1 \. \d"),
        ('"one\\\ntwo"', "onetwo"),
        ('"one\ntwo"', "one\ntwo"),
        (r"'a\n\'", r"a\n" + "\\"),
        ("'a\"b'", 'a"b'),
        ('""', ""),
    ],
)
def test_a_string_has_its_meaning(text: str, meant: str) -> None:
    token, _ = scan(text).tokens
    assert token.kind is TokenKind.STRING
    assert unquoted(token.text) == meant


@pytest.mark.parametrize(
    "text", ['xlog("one);\nexit;', "xlog('one);\nexit;", 'xlog("one);\nexit;\nxlog("two");']
)
def test_an_unclosed_string_is_reported_where_it_opens_and_reading_goes_on_at_the_next_line(
    text: str,
) -> None:
    result = scan(text)
    (finding,) = result.findings
    assert (finding.code, finding.severity, finding.place.line) == (
        "unclosed-string",
        ScriptSeverity.ERROR,
        1,
    )
    assert [token.text for token in result.tokens if token.line == 2] == ["exit", ";"] + [""] * (
        text.count("\n") == 1
    )


def test_a_string_of_several_lines_is_no_mistake() -> None:
    result = scan('modparam("a", "b",\n"one\n two")\nif ($x == "a\nb" and $y)')
    assert not result.findings


def test_an_unclosed_comment_is_reported_where_it_opens() -> None:
    result = scan("exit;\n/* one\n/* two */\nexit;")
    (finding,) = result.findings
    assert (finding.code, finding.place.line) == ("unclosed-comment", 2)
    assert [token.text for token in result.tokens] == ["exit", ";", ""]


def test_typographic_quotes_make_a_string_with_an_error() -> None:
    result = scan("ds_select_dst(1, 2, “f”)")
    (finding,) = result.findings
    assert (finding.code, finding.severity) == ("syntax", ScriptSeverity.ERROR)
    assert unquoted(result.tokens[6].text) == "f"


def test_characters_without_meaning_are_dropped_and_counted() -> None:
    result = scan("exit @ ;\n? é")
    assert [token.text for token in result.tokens] == ["exit", ";", ""]
    assert result.skipped == 3
    assert {(finding.code, finding.severity) for finding in result.findings} == {
        ("not-understood", ScriptSeverity.HINT)
    }
