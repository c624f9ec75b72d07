"""`manage.py script FILE`: what is wrong with an opensips.cfg and its includes, for people or as JSON.

Exits with 1 where there is an error, so that it can stand in a build.
"""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from efcp.script.checking.check import check
from efcp.script.checking.report import as_json, exit_code
from efcp.script.checking.tables import Tables
from efcp.script.knowledge.loading import VERSIONS, knowledge_of
from efcp.script.language.files import read
from efcp.script.selectors import tables


class Command(BaseCommand):
    """Check a script from the command line."""

    help = "Check an opensips.cfg with its includes, against a version of OpenSIPS and the panel's tables."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the file, the version, and how to answer."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--opensips", choices=VERSIONS, default="3.6", help="the version (default 3.6)")
        parser.add_argument("--folder", type=Path, help="where includes may lie (default: the file's folder)")
        parser.add_argument("--without-tables", action="store_true", help="do not look into the database")
        parser.add_argument("--json", action="store_true", help="answer as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the findings."""
        try:
            script = read(options["file"], options["folder"])
        except OSError as error:
            raise CommandError(f"{options['file']} can't be read: {error.strerror}") from None
        known = Tables() if options["without_tables"] else tables()
        findings = check(script, knowledge_of(options["opensips"]), known)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(findings, script.skipped), indent=2))
        else:
            for finding in findings:
                self.stdout.write(f"{finding.place}: {finding.severity}: {finding.text} [{finding.code}]")
            self.stdout.write(f"{len(findings)} findings, {script.skipped} constructs not understood")
        if code := exit_code(findings):
            sys.exit(code)
