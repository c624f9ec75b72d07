"""The proxies of the operations' tests."""

from tests.operations.conftest import play

__all__ = ["play"]
