"""The examples in docs/examples: they are read, and name commands and options that `efcpctl` has."""

import shlex
from typing import Any

import click
import pytest
import yaml

from dispatcher import names
from efcp.client.main import cli
from efcp.configuration import PROJECT_DIR
from efcp.operations.desired.document import parse
from efcp.operations.desired.planning import plan_for

EXAMPLES = PROJECT_DIR / "docs" / "examples"


def parsed_by_efcpctl(words: list[str]) -> str:
    """The command that the words name, once click has taken its options."""
    with click.Context(cli) as context:
        rest = list(cli.make_parser(context).parse_args(words[1:])[1])
        command = cli.get_command(context, rest[0])
        assert command is not None, rest
        command.make_parser(context).parse_args(rest[1:])
        return rest[0]


def commands_in(job: Any) -> list[list[str]]:
    lines = [line for line in job["script"] if "efcpctl" in line]
    return [shlex.split(line[line.index("efcpctl") :].partition(" > ")[0]) for line in lines]


def test_the_pipeline_plans_and_applies_by_commands_that_exist() -> None:
    pipeline = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())
    commands = [words for name in pipeline["stages"] for words in commands_in(pipeline[name])]
    assert [parsed_by_efcpctl(words) for words in commands] == ["plan", "apply"]


def test_the_play_plans_and_applies_by_commands_that_exist() -> None:
    [play] = yaml.safe_load((EXAMPLES / "playbook.yml").read_text())
    commands = [task["ansible.builtin.command"]["argv"] for task in play["tasks"]]
    assert [parsed_by_efcpctl(words) for words in commands] == ["plan", "apply"]


def test_the_example_of_a_desired_state_can_be_applied(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "look_up", lambda *_args: names.Lookup(names.Outcome.NO_ANSWER))
    plan = plan_for(parse((EXAMPLES / "gateways.yaml").read_text()))
    assert plan.errors == []
    assert len(plan.lines) == 6
