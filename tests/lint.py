"""`python -m tests.lint`: what no off-the-shelf linter checks in templates and lock files.

Templates compile; none holds an inline script, style or on* attribute, which the Content-Security-Policy
would silently not run; pages show times by efcp/clock.py only; no lock file names the host that its packages
were found on; only efcp/releases.py names releases of OpenSIPS; and shared code compares nothing with a
module's name.
"""

import ast
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

import django
from django.template import TemplateSyntaxError
from django.template.loader import get_template

from tests import vocabulary

PROJECT_DIR = Path(__file__).resolve().parent.parent
_TAG_OR_COMMENT = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_OTHER_CLOCK = re.compile(
    r"\{\{[^}]*\|\s*(?:date|time|timesince|timeuntil)\b"  # a filter of Django's
    r"|<time\s+datetime=\"\{\{"  # an element that a template writes itself
    r"|\{[^{}:(]+:%Y-%m-%d"  # an f-string
)
RELEASES = Path("efcp/releases.py")
_RELEASE = re.compile(r"(?<![\d.])(?:3\.[46]|4\.[0-9])(?![\d.]*\d)")
_RELEASES_ONLY_THERE = f"names a release of OpenSIPS: only {RELEASES} does, ask a Release what it can do"
_MODULE_COMPARED = "compares with the name of a module: add what differs to efcp.modules.registry.PanelModule"
_MODULE_IN_TAG = re.compile(r"\{%[^%]*[!=]=\s*['\"](?:dispatcher|dialplan)['\"]")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST = re.compile(r"\b(?:[a-z0-9-]+\.)+(?:org|com|net|io|dev|local|internal)\b|\blocalhost\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PHRASE = re.compile(rf"\b(?:{'|'.join(vocabulary.PHRASES)})\b", re.IGNORECASE)
_QUOTED_NAME = re.compile(r"`(\w+)`")
_SHARED = (
    "efcp/editing",
    "efcp/modules",
    "efcp/audit",
    "efcp/jobs",
    "efcp/operations",
    "efcp/proxies",
    "efcp/accounts",
    "efcp/api",
    "efcp/preview",
)
_MODULES = {"dispatcher", "dialplan"}
MAX_TEMPLATE_LINE = 160
_INDEX_OPTION = re.compile(r"^\s*(?:-i|-f|--(?:extra-)?index-url|--find-links|--trusted-host)\b")


def main() -> int:
    """Print a line for each finding; 1 if there is any."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")
    django.setup()
    found = list(findings(PROJECT_DIR))
    for line in found:
        sys.stdout.write(f"{line}\n")
    return 1 if found else 0


def findings(project: Path) -> Iterator[str]:
    """Every finding under `project`, as `path:line: what`."""
    templates = project / "templates"
    for path in _templates_in(templates):
        name = path.relative_to(project)
        try:
            get_template(
                str(path.relative_to(templates)), using="jinja2" if path.suffix == ".jinja" else "django"
            )
        except TemplateSyntaxError as error:
            yield f"{name}:1: does not compile: {error}"
        text = path.read_text(encoding="utf-8")
        for line, what in (
            *inline_code(text),
            *other_clocks(text),
            *releases_in_template(text),
            *module_comparisons_in_template(text),
        ):
            yield f"{name}:{line}: {what}"
    yield from _long_lines(templates)
    yield from _in_python(project)
    for package in ("efcp", "dispatcher", "dialplan"):
        for path in sorted((project / package).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            named = () if path == project / RELEASES else releases_in_code(text)
            for line, what in (*other_clocks(text), *named):
                yield f"{path.relative_to(project)}:{line}: {what}"
    for path in sorted((project / "requirements").glob("*.lock")):
        for line, what in named_hosts(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(project)}:{line}: {what}"


def _in_python(project: Path) -> Iterator[str]:
    """What is found in the Python files that git knows or is about to."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout
    trees = {
        name: ast.parse((project / name).read_text(encoding="utf-8"))
        for name in sorted(listed.splitlines())
        if "/migrations/" not in name and (project / name).is_file()
    }
    for name, tree in trees.items():
        for line, what in old_words(tree):
            yield f"{name}:{line}: {what}"
        for line, what in old_phrases(tree):
            yield f"{name}:{line}: {what}"
        for line, what in module_comparisons(tree) if name.startswith(_SHARED) else ():
            yield f"{name}:{line}: {what}"
    yield from classes_named_twice(trees)


def old_words(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line of each identifier with a word that is not to be used any more, and the word to use."""
    for node in ast.walk(tree):
        for name in {*_identifiers(node)} - vocabulary.FOREIGN:
            for word in sorted({word.lower() for word in _WORD.findall(name)} | {name.lower()}):
                if better := vocabulary.REPLACED.get(word):
                    yield getattr(node, "lineno", 1), f"{name}: say {better} instead of {word}"


def old_phrases(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line of each docstring with a phrase that reads as translated, and what to write."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                for phrase in _PHRASE.findall(" ".join(text.split())):
                    yield node.lineno, f"“{phrase}”: write {vocabulary.PHRASES[phrase.lower()]}"
                for name in sorted({*_QUOTED_NAME.findall(text)} & vocabulary.REPLACED.keys()):
                    yield node.lineno, f"`{name}`: say {vocabulary.REPLACED[name]}"


def _identifiers(node: ast.AST) -> Iterator[str]:
    """The identifiers that a node introduces."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case (
            ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store())
        ):
            yield name
        case ast.alias(asname=str(name)):
            yield name


def classes_named_twice(trees: Mapping[str, ast.Module]) -> Iterator[str]:
    """Each class whose name another class of the project has as well; Django's Command excepted."""
    named: dict[str, list[str]] = defaultdict(list)
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name != "Command":
                named[node.name].append(f"{path}:{node.lineno}")
    for name, places in sorted(named.items()):
        if len(places) > 1:
            yield f"{places[-1]}: class {name} is also at {', '.join(places[:-1])}"


def module_comparisons(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line of each comparison with a module's name, such as `kind == "dialplan"`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for side in (node.left, *node.comparators):
                if isinstance(side, ast.Constant) and side.value in _MODULES:
                    yield node.lineno, f"compares with {side.value!r}: ask the registry of modules"


def _templates_in(folder: Path) -> list[Path]:
    return sorted(path for ending in ("html", "jinja") for path in folder.rglob(f"*.{ending}"))


def _long_lines(templates: Path) -> Iterator[str]:
    """Each line of a template that is too long to be read."""
    for path in _templates_in(templates):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if len(line) > MAX_TEMPLATE_LINE:
                name = path.relative_to(templates.parent)
                yield f"{name}:{number}: over {MAX_TEMPLATE_LINE} characters: {len(line)}"


def inline_code(template: str) -> list[tuple[int, str]]:
    """The line and kind of each inline script, style or on* attribute in a template."""
    parser = _InlineCode()
    parser.feed(_TAG_OR_COMMENT.sub(_blank, template))
    parser.close()
    return parser.found


def other_clocks(text: str) -> Iterator[tuple[int, str]]:
    """The line and kind of each time in a template or module that is not on the user's clock."""
    for number, line in enumerate(text.splitlines(), 1):
        if _OTHER_CLOCK.search(line):
            yield (
                number,
                "a time beside the user's clock: use {% moment %}, {% age %} or efcp.clock.moment_text",
            )


def releases_in_template(text: str) -> Iterator[tuple[int, str]]:
    """The line and kind of each release of OpenSIPS that a template names."""
    for number, line in enumerate(text.splitlines(), 1):
        if _RELEASE.search(line):
            yield number, _RELEASES_ONLY_THERE


def releases_in_code(text: str) -> Iterator[tuple[int, str]]:
    """The same for a module's strings; docstrings may name where a fact was found."""
    tree = ast.parse(text)
    docstrings = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    constants = (each for each in ast.walk(tree) if isinstance(each, ast.Constant))
    for each in constants:
        if id(each) not in docstrings and isinstance(each.value, str) and _RELEASE.search(each.value):
            yield each.lineno, _RELEASES_ONLY_THERE


def module_comparisons_in_template(text: str) -> Iterator[tuple[int, str]]:
    """The line of each comparison with a module's name in a template's tags."""
    for number, line in enumerate(text.splitlines(), 1):
        if _MODULE_IN_TAG.search(line):
            yield number, _MODULE_COMPARED


def named_hosts(lock: str) -> Iterator[tuple[int, str]]:
    """The line and kind of each URL, host name or index option in a lock file."""
    for number, line in enumerate(lock.splitlines(), 1):
        if _INDEX_OPTION.search(line) or _URL.search(line) or _HOST.search(line):
            yield number, f"names where packages are from: {line.strip()}"


def _blank(match: re.Match[str]) -> str:
    """What a template tag leaves for the HTML parser: its line breaks, so that lines keep their numbers."""
    return "\n" * match.group().count("\n")


class _InlineCode(HTMLParser):
    """Collects elements and attributes that a policy without 'unsafe-inline' does not run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _value in attrs}
        if tag == "style":
            self._find("inline <style>")
        if tag == "script" and "src" not in names:
            self._find("inline <script>")
        for name, value in attrs:
            if name == "style":
                self._find("inline style attribute")
            if name.startswith(("on", "hx-on")):
                self._find(f"inline handler {name}")
            if name in {"href", "src", "action"} and (value or "").strip().lower().startswith("javascript:"):
                self._find(f"inline code in {name}")

    def _find(self, what: str) -> None:
        self.found.append((self.getpos()[0], what))


if __name__ == "__main__":
    sys.exit(main())
