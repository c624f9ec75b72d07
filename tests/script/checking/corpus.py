"""Files of the corpus: what each one's first lines say of it."""

import re
from dataclasses import dataclass
from pathlib import Path

from efcp.script.checking.overview import SetFacts, TableFacts

CORPUS = Path(__file__).parent.parent / "corpus"
"""`broken` has one file per mistake, `sound` has scripts in which nothing is found."""

_HEAD = re.compile(r"#\s*(version|tables|expect):\s*(.*)")
_SET = re.compile(r"(\d+)=(\d+)/(\d+)")
_DATABASE = re.compile(r"([\w.-]+):(\d+)/(\w+)")


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """A file with what it says of itself: `# version: 3.4`, `# tables: …` and `# expect: code line`.

    Tables are written as `1=2/3` (set 1 has 3 destinations, of which 2 are not inactive), and words with a
    value: `dialplans: 3,4`, `rows: 9000`, `bytes: 90000`, `proxies: 2`, `shared: 64`, `private: 8`,
    `database: host:port/name`.
    """

    path: Path
    version: str
    tables: TableFacts
    expected: tuple[tuple[str, int], ...]


def cases(folder: str) -> list[CorpusFile]:
    """The files of a folder, by name."""
    return [read_case(path) for path in sorted((CORPUS / folder).glob("*.cfg"))]


def read_case(path: Path) -> CorpusFile:
    """One file."""
    version, tables, expected = "3.4", TableFacts(), []
    for line in path.read_text().splitlines():
        if not (match := _HEAD.match(line)):
            break
        word, value = match.groups()
        if word == "version":
            version = value.strip()
        elif word == "tables":
            tables = _tables(value)
        else:
            code, _, number = value.strip().partition(" ")
            expected.append((code, int(number)))
    return CorpusFile(path, version, tables, tuple(expected))


def _tables(text: str) -> TableFacts:
    sets = {int(number): SetFacts(int(rows), int(active)) for number, active, rows in _SET.findall(text)}
    dialplans = _value(text, "dialplans")
    place = _DATABASE.search(text.partition("database:")[2])
    return TableFacts(
        sets=sets or None,
        dialplans={int(number): 1 for number in dialplans.split(",")} if dialplans else None,
        rows=_number(text, "rows"),
        bytes=_number(text, "bytes"),
        proxies=_number(text, "proxies"),
        shared_memory=_number(text, "shared"),
        private_memory=_number(text, "private"),
        database=(place[1], int(place[2]), place[3]) if place else None,
    )


def _value(text: str, word: str) -> str:
    match = re.search(rf"\b{word}:\s*([\d,]+)", text)
    return match[1] if match else ""


def _number(text: str, word: str) -> int | None:
    value = _value(text, word)
    return int(value) if value else None
