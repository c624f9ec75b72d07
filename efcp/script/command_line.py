"""`manage.py script check FILE`, and the same without Django where no table is to be looked at."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from efcp.releases import DEFAULT
from efcp.script.checking.check import as_json, check, exit_code
from efcp.script.checking.overview import TableFacts
from efcp.script.knowledge.facts import VERSIONS, knowledge_of
from efcp.script.language.reading import read

_PROJECT = Path(__file__).parent.parent.parent
_DATABASE_SETTINGS = ("DATABASE_URL", "DATABASE_URL_FILE")


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """What to check, and how."""
    parser.add_argument("file", type=Path)
    parser.add_argument("--folder", type=Path, help="folder for includes (default: the file's folder)")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    parser.add_argument("--shared-memory", type=int, help="megabytes the proxy is started with (-m)")
    parser.add_argument("--private-memory", type=int, help="megabytes of each process (-M)")
    parser.add_argument("--listens", action="store_true", help="the proxy is started with a socket (-l)")


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """What checking and writing share."""
    parser.add_argument("--opensips", choices=VERSIONS, help=f"the version (default {DEFAULT})")
    parser.add_argument("--without-tables", action="store_true", help="do not look into the database")


def check_file(options: Mapping[str, Any], known: TableFacts, write: Callable[[str], Any]) -> int:
    """Check a file and write what was found; the exit code. Raises OSError where it can't be read."""
    script = read(options["file"], options["folder"])
    known = replace(
        known,
        shared_memory=options["shared_memory"],
        private_memory=options["private_memory"],
        listens=options["listens"],
    )
    checked = check(script, knowledge_of(options["opensips"] or str(DEFAULT)), known)
    if options["json"]:
        write(json.dumps(as_json(checked, script.skipped), indent=2))
    else:
        for finding in checked.findings:
            write(f"{finding.place}: {finding.severity}: {finding.text} [{finding.code}]")
        findings, skipped = len(checked.findings), script.skipped
        counts = f"{findings:,} finding{'s' * (findings != 1)}, {len(checked.accepted):,} accepted"
        write(f"{counts}, {skipped:,} construct{'s' * (skipped != 1)} not understood")
    return exit_code(checked.findings)


class _QuietParser(argparse.ArgumentParser):
    """Leaves it to Django to say what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        raise argparse.ArgumentError(None, message)


def checked_alone(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int | None:
    """Check without Django: the exit code; None where the tables are to be read, or Django is to answer.

    Without a database that is set and without the trial's there are no tables to look at.
    """
    parser = _QuietParser(add_help=False)
    add_check_arguments(parser)
    add_common_arguments(parser)
    try:
        options, unknown = parser.parse_known_args(arguments)
    except argparse.ArgumentError:
        return None
    if unknown or not (options.without_tables or _has_no_database(environ)):
        return None
    try:
        return check_file(vars(options), TableFacts(), print)
    except OSError as error:
        sys.stderr.write(f"CommandError: {options.file} can't be read: {error.strerror}\n")
        return 1


def _has_no_database(environ: Mapping[str, str]) -> bool:
    folder = Path(environ.get("EFCP_DATA_DIR") or _PROJECT / "var")
    return (
        not any(environ.get(name) for name in _DATABASE_SETTINGS) and not (folder / "efcp.sqlite3").exists()
    )
