"""The MI server of the proxies' tests, for their pages."""

from tests.proxies.conftest import make_mi, mi, proxy

__all__ = ["make_mi", "mi", "proxy"]
