"""Panels that end with their test, also when it fails."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.launch.panel import Panel, free_ports

Start = Callable[..., Panel]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a panel in the test's folder, on free ports unless told otherwise."""
    with ExitStack() as stack:

        def begin(*, without: str = "", cwd: Path | None = None, **settings: str) -> Panel:
            chosen = free_ports() | settings
            chosen.pop(without, None)
            places = {} if cwd is None else {"cwd": cwd}
            panel = Panel(tmp_path / "var", chosen, **places)
            stack.callback(panel.clean_up)
            return panel

        yield begin
