"""Whose word about the client's address counts."""

from ipaddress import ip_network

import pytest
from django.http import HttpRequest
from pytest_django.fixtures import Settings

from efcp.proxy_headers import client_address, is_trusted_proxy

PROXIES = (ip_network("10.0.0.0/24"), ip_network("fd00::/8"))


@pytest.fixture(autouse=True)
def _trusted_proxies(settings: Settings) -> None:
    settings.EFCP_TRUSTED_PROXIES = PROXIES


def address_of(peer: str, forwarded: str | None = None) -> str:
    """The client's address of a request from `peer` with this X-Forwarded-For."""
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = peer
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    return client_address(request)


def test_without_a_proxy_it_is_the_peer() -> None:
    assert address_of("192.0.2.1") == "192.0.2.1"


def test_what_an_untrusted_peer_claims_is_ignored() -> None:
    assert address_of("192.0.2.1", "203.0.113.9") == "192.0.2.1"


def test_a_trusted_proxy_names_its_client() -> None:
    assert address_of("10.0.0.1", "203.0.113.9") == "203.0.113.9"


def test_of_several_the_right_most_untrusted_one_counts() -> None:
    assert address_of("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2") == "203.0.113.9"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("", "10.0.0.1"),
        ("garbage", "10.0.0.1"),
        ("203.0.113.9, garbage", "10.0.0.1"),
        ("garbage, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9,", "10.0.0.1"),
        ("<script>", "10.0.0.1"),
    ],
)
def test_spellings_that_proxies_and_attackers_send(forwarded: str, address: str) -> None:
    assert address_of("10.0.0.1", forwarded) == address


def test_a_trusted_proxy_may_have_a_mapped_address() -> None:
    assert address_of("::ffff:10.0.0.1", "203.0.113.9") == "203.0.113.9"


def test_a_unix_socket_has_no_address() -> None:
    assert address_of("", "203.0.113.9") == ""


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [("10.0.0.7", True), ("10.0.1.7", False), ("fd00::1", True), ("", False), ("x", False)],
)
def test_a_peer_is_trusted_by_its_network(peer: str, trusted: bool) -> None:
    assert is_trusted_proxy(peer) is trusted


def test_nobody_is_trusted_where_no_proxy_is_named(settings: Settings) -> None:
    settings.EFCP_TRUSTED_PROXIES = ()

    assert address_of("10.0.0.1", "203.0.113.9") == "10.0.0.1"
