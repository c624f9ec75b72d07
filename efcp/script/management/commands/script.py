"""`manage.py script check FILE` and `manage.py script write`: an opensips.cfg judged, or written.

Checking exits with 1 where there is an error, so that it can stand in a build; so does writing where the
answers are refused.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from efcp.commands import PanelCommand
from efcp.script.checking.overview import TableFacts
from efcp.script.command_line import add_check_arguments, add_common_arguments, check_file
from efcp.script.selectors import starting_answers, tables
from efcp.script.writing.answers import Answers, AnswersFileError, read_answers
from efcp.script.writing.script import write


class Command(PanelCommand):
    """Check or write a script from the command line."""

    help = "Check an opensips.cfg with its includes against a version and the panel's tables, or write one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do, and how."""
        commands = parser.add_subparsers(dest="what", required=True)
        checking = commands.add_parser("check", help="say what is wrong with a file")
        add_check_arguments(checking)
        writing = commands.add_parser("write", help="write a file; without answers the guide's example")
        writing.add_argument("--answers", type=Path, help="a TOML file of answers")
        writing.add_argument("--set", type=int, action="append", help="a set to write a group for; repeat it")
        writing.add_argument("--whole", action="store_true", help="write a whole proxy that runs")
        writing.add_argument("--show-passwords", action="store_true", help="write passwords as they are")
        writing.add_argument("--output", type=Path, help="the file to write (default: standard output)")
        for each in (checking, writing):
            add_common_arguments(each)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the subcommand."""
        known = TableFacts() if options["without_tables"] else _tables()
        (self._check if options["what"] == "check" else self._write)(options, known)

    def _check(self, options: dict[str, Any], known: TableFacts) -> None:
        try:
            code = check_file(options, known, self.stdout.write)
        except OSError as error:
            raise CommandError(f"{options['file']} can't be read: {error.strerror}") from None
        if code:
            sys.exit(code)

    def _write(self, options: dict[str, Any], known: TableFacts) -> None:
        written = write(self._answers(options), known)
        if written.refusals:
            for refusal in written.refusals:
                self.stderr.write(f"{', '.join(refusal.places)}: {refusal.text}")
            sys.exit(1)
        if options["output"]:
            options["output"].write_text(written.text)
        else:
            self.stdout.write(written.text, ending="")

    @staticmethod
    def _answers(options: dict[str, Any]) -> Answers:
        """The answers of the file, or the guide's; what the options say comes last."""
        answers = Answers()
        if options["answers"]:
            try:
                answers = read_answers(options["answers"].read_text())
            except (OSError, UnicodeDecodeError, AnswersFileError) as error:
                raise CommandError(f"{options['answers']}: {error}") from None
        if options["set"]:
            answers = replace(answers, groups=starting_answers(options["set"]).groups)
        return replace(
            answers,
            version=options["opensips"] or answers.version,
            minimal=options["whole"] or answers.minimal,
            show_passwords=options["show_passwords"] or answers.show_passwords,
        )


def _tables() -> TableFacts:
    try:
        return tables()
    except DatabaseError as error:
        text = f"The database can't be read: {error}. With --without-tables the file is checked alone."
        raise CommandError(text, returncode=2) from None
