"""`python -m tests.lint` finds what it is there for."""

import ast

import pytest

from tests import lint


@pytest.mark.parametrize(
    "template",
    [
        "<script>go()</script>",
        '<script nonce="{{ nonce }}">go()</script>',
        "<style>p { color: red }</style>",
        '<p style="color: red">',
        '<a onclick="go()">',
        '<a {% if x %}onclick="go()"{% endif %}>',
        '<a hx-on:click="go()">',
        '<a href="javascript:go()">',
    ],
)
def test_inline_code_is_found(template: str) -> None:
    assert lint.inline_code(f"<p>\n{template}")[0][0] == 2


@pytest.mark.parametrize(
    "template",
    [
        '<script src="{% static "js/x.js" %}" defer></script>',
        '<a href="{% url "home" %}" hx-get="?a=1">x</a>',
    ],
)
def test_a_template_without_inline_code_passes(template: str) -> None:
    assert lint.inline_code(template) == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example.org/simple",
        "-i packages",
        "--find-links wheels",
        "django @ https://example.org/django.whl",
        "# from packages.example.org",
        "# from http://localhost/simple",
    ],
)
def test_a_lock_file_that_names_a_host_is_found(line: str) -> None:
    assert [number for number, _what in lint.named_hosts(f"django==5.2\n{line}")] == [2]


def test_a_lock_file_of_names_versions_and_hashes_passes() -> None:
    lock = "django==5.2.1 \\\n    --hash=sha256:0a1b\n    # via efcp (pyproject.toml)\n"
    assert list(lint.named_hosts(lock)) == []


@pytest.mark.parametrize(
    "line",
    [
        '<p>{{ record.at|date:"Y-m-d H:i" }} UTC</p>',
        "<p>{{ record.at|timesince }}</p>",
        '<time datetime="{{ record.iso }}">',
        'f"is put back at {ends_at:%Y-%m-%d %H:%M} UTC."',
    ],
)
def test_a_time_that_is_not_on_the_users_clock_is_found(line: str) -> None:
    assert [number for number, _what in lint.other_clocks(f"\n{line}")] == [2]


def test_times_on_the_users_clock_pass() -> None:
    page = '{% moment at %} {% age at "minutes" %}\nf"{moment_text(ends_at)} {start:%Y%m%d} {name}"'
    assert list(lint.other_clocks(page)) == []


@pytest.mark.parametrize("line", ['VERSION = "3.4"', 'f"{name} is of 4.1 only"', 'known = {"3.6": 1}'])
def test_a_release_that_code_names_is_found(line: str) -> None:
    assert [number for number, _what in lint.releases_in_code(f"\n{line}")] == [2]


def test_docstrings_numbers_and_other_versions_pass() -> None:
    assert (
        list(lint.releases_in_code('"""As in 3.4 and 4.0."""\nWAIT_S = 4.0\nOURS = "13.4", "3.4.18"\n')) == []
    )


def test_a_release_that_a_template_names_is_found() -> None:
    assert [number for number, _what in lint.releases_in_template("<p>\nfrom 3.6 on</p>")] == [2]


@pytest.mark.parametrize(
    "code",
    [
        "def forgive(address): ...",
        "class WrongTries: ...",
        "x.forgive_all = 1",
        "import a as forgive",
        "def test_it_is_told(): ...",
    ],
)
def test_a_replaced_word_in_an_identifier_is_found(code: str) -> None:
    assert [line for line, _what in lint.old_words(ast.parse(f"\n{code}"))] == [2]


def test_a_word_that_is_only_used_or_part_of_another_passes() -> None:
    assert list(lint.old_words(ast.parse("unforgiven = library.forgive()"))) == []


def test_a_phrase_that_reads_as_translated_is_found_in_a_docstring() -> None:
    tree = ast.parse('x = "is told"\n"""The job\nis told."""')
    assert list(lint.old_phrases(tree)) == [(2, "“is told”: write is reported or sent")]


def test_a_class_name_used_twice_is_found_with_both_places() -> None:
    tree = ast.parse("class TwiceNamed: ...")
    assert list(lint.classes_named_twice({"a.py": tree, "b.py": tree})) == [
        "b.py:1: class TwiceNamed is also at a.py:1"
    ]
    assert list(lint.classes_named_twice({"a.py": tree})) == []


def test_a_comparison_with_a_modules_name_is_found() -> None:
    found = lint.module_comparisons(ast.parse('if "dialplan" == kind or kind == "users": ...'))
    assert [line for line, _what in found] == [1]
