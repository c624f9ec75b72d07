"""`python -m tests.conformance KIND FILE`: hold the panel's code against what real proxies answered."""

import argparse
import gzip
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

KINDS = ("acceptance", "dialplan", "mi", "probing", "selection", "timerec")
"""Each is a module here with `compare(vectors)`: for each case what differs, or None."""
WITH_DJANGO = ("acceptance", "mi")
GZIP_MAGIC = b"\x1f\x8b"


def read_vectors(path: Path) -> Any:
    """The decoded JSON of a file, gzipped or plain; bytes that are not UTF-8 are kept as surrogates."""
    content = path.read_bytes()
    text = gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    return json.loads(text.decode(errors="surrogateescape"))


def set_up_django() -> None:
    """Forms and sandbox are Django's; the reasoning has to do without it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")
    importlib.import_module("django").setup()


def main() -> int:
    """Print what differs and a last line with the counts; 1 where anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    if arguments.kind in WITH_DJANGO:
        set_up_django()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    checker = importlib.import_module(f"tests.conformance.{arguments.kind}")
    checked = differing = 0
    for difference in checker.compare(read_vectors(arguments.file)):
        checked += 1
        if difference is not None:
            differing += 1
            print(difference)
    print(f"{arguments.kind}: {checked} checked, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
