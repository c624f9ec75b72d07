"""Panels that end with their test, also when it fails."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from efcp.configuration import PROJECT_DIR
from tests.environment import DATABASE, migrated_database
from tests.launch.panel import BY_HAND, PanelProcess, free_ports

Start = Callable[..., PanelProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a panel in the test's folder, on free ports unless others are given.

    `migrated` is whether its tables are there already.
    """
    with ExitStack() as stack:

        def begin(
            command: Sequence[str] = BY_HAND,
            *,
            without: str = "",
            cwd: Path = PROJECT_DIR,
            migrated: bool = False,
            **settings: str,
        ) -> PanelProcess:
            if migrated:
                (tmp_path / "var").mkdir()
                (tmp_path / "var" / DATABASE).write_bytes(migrated_database())
            chosen = free_ports() | settings
            chosen.pop(without, None)
            panel = PanelProcess(tmp_path / "var", chosen, cwd, command)
            stack.callback(panel.clean_up)
            return panel

        yield begin
