"""What the documents name exists: files, folders, modules, make's targets, settings."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from efcp import __version__
from efcp.configuration import PROJECT_DIR
from efcp.glossary import TERMS

DOCUMENTS = [
    *(PROJECT_DIR / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((PROJECT_DIR / "docs").rglob("*.md")),
    *sorted((PROJECT_DIR / "docs").glob("*.svg")),
]
WRITTEN_AT_RUN_TIME = {"var/", "secrets/", ".venv/bin/pytest", ".venv/bin/python", ".venv/bin/pip"}
PERMISSIONS = {"efcp.view", "efcp.operate", "efcp.administer"}
_SUFFIXES = r"(?:py|md|html|jinja|toml|svg|png|service|socket|cfg|yml|js|css|gz)"
_PATH = re.compile(rf"[\w.-]*(?:/[\w.-]+)*/|[\w.-]+(?:/[\w.-]+)*\.{_SUFFIXES}|[\w-]+(?:/[\w-]+)+")
_MODULE = re.compile(r"(?:efcp|dispatcher|dialplan|tests)(?:\.[A-Za-z_]+)+")
_TOP = {path.name for path in PROJECT_DIR.iterdir()}


def _files() -> set[str]:
    skipped = {".git", ".venv", "var", "node_modules"}
    return {
        str(path.relative_to(PROJECT_DIR))
        for top in PROJECT_DIR.iterdir()
        if top.name not in skipped
        for path in ([top] if top.is_file() else top.rglob("*"))
    }


FILES = _files()


def _named(document: Path) -> Iterator[str]:
    """The code spans of a document and the targets of its links; of a drawing, its texts."""
    text = document.read_text(encoding="utf-8")
    if document.suffix == ".svg":
        for shown in re.findall(r"<text[^>]*>([^<]*)</text>", text):
            yield from shown.replace(":", " ").replace(",", " ").split()
        return
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", text)
    for target in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in target:
            yield str((document.parent / target).resolve().relative_to(PROJECT_DIR))


def _exists(name: str) -> bool:
    """A path from the top, or the end of one where the text has named its folder."""
    return (PROJECT_DIR / name).exists() or any(f"/{path}".endswith(f"/{name.rstrip('/')}") for path in FILES)


def _module_exists(name: str) -> bool:
    """A module or package, or a name in one."""
    path = PROJECT_DIR / name.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").exists():
        return True
    owner = path.parent.with_suffix(".py")
    owner = owner if owner.exists() else path.parent / "__init__.py"
    return owner.exists() and re.search(rf"\b{path.name}\b", owner.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT_DIR)))
def test_every_path_and_module_that_a_document_names_exists(document: Path) -> None:
    missing = []
    for name in _named(document):
        if name in WRITTEN_AT_RUN_TIME | PERMISSIONS or "<" in name:
            continue
        if _PATH.fullmatch(name) and (name.split("/")[0] in _TOP or re.search(rf"\.{_SUFFIXES}$", name)):
            missing += [] if _exists(name) else [name]
        elif _MODULE.fullmatch(name):
            missing += [] if _module_exists(name) else [name]
    assert missing == []


def test_every_target_of_make_that_a_document_names_exists() -> None:
    makefile = (PROJECT_DIR / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        target
        for document in DOCUMENTS
        for span in _named(document)
        for target in re.findall(r"^make ([a-z]+)", span)
    }
    assert named
    assert named <= targets


def test_every_setting_that_a_document_names_is_read() -> None:
    read_in = (*(PROJECT_DIR / "efcp").glob("*.py"), *(PROJECT_DIR / "efcp/client").glob("*.py"))
    source = "".join(path.read_text(encoding="utf-8") for path in read_in)
    named = {
        setting
        for document in DOCUMENTS
        for setting in re.findall(r"\bEFCP_[A-Z_]+[A-Z]", document.read_text(encoding="utf-8"))
    }
    # Those of one provider are named by its key.
    named = {setting.replace("EFCP_OIDC_COMPANY_", "{prefix}") for setting in named}
    assert named
    assert {setting.removesuffix("_FILE") for setting in named if setting not in source} <= {
        setting for setting in named if setting in source
    }


def test_the_glossary_is_the_panels() -> None:
    text = (PROJECT_DIR / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Glossary")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE)[2:]
    assert rows == [(term.name, term.meaning) for term in TERMS]


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
