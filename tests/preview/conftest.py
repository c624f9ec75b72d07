"""Proxies that play on loopback, as the operations' tests have them."""

from tests.operations.conftest import play

__all__ = ["play"]
