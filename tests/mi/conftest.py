"""Servers for the MI client, ended with the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.mi.misbehaving import MisbehavingServer, Play


@pytest.fixture
def serve() -> Iterator[Callable[[Play], MisbehavingServer]]:
    """Return a function that starts a server which does this after each request."""
    with ExitStack() as servers:
        yield lambda play: servers.enter_context(MisbehavingServer(play))
