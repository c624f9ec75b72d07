"""What the tests of the sandbox share."""

from tests.sandbox.fixtures import sandbox

__all__ = ["sandbox"]
