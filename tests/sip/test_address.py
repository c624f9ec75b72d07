"""Numeric addresses as the proxy reads and prints them (ip_addr.h), and as the C library does."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.sip.address import c_library_ipv4, ipv4, ipv6


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("10.0.0.", "10.0.0.0"),
        ("10.0.0", None),
        ("10.0.0.1.", None),
        ("10.0..1", None),
        ("10.0.0.256", None),
        ("10.0.01.1", None),
        ("10.0.0.1 ", None),
        ("10.0.0.a", None),
        ("10.0.0.\u0661", None),
    ],
)
def test_a_dotted_quad_is_read(text: str, address: str | None) -> None:
    assert ipv4(text) == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1", "0.0.0.1"),
        ("1.2.3", "1.2.0.3"),
        ("1.2", "1.0.0.2"),
        ("127.00.1", "127.0.0.1"),
        ("010.0.0.1", "8.0.0.1"),
        ("4294967295", "255.255.255.255"),
        ("4294967296", None),
        ("1100.0.1", None),
        ("1.2.3.", None),
        ("08.0.0.1", None),
        ("0x7f.1", None),
        ("gw", None),
        ("", None),
    ],
)
def test_the_c_library_fills_what_is_left_out(text: str, address: str | None) -> None:
    assert c_library_ipv4(text) == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[::1]", "0:0:0:0:0:0:0:1"),
        ("2001:db8::1", "2001:DB8:0:0:0:0:0:1"),
        ("::", "0:0:0:0:0:0:0:0"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:7:", "1:2:3:4:5:6:7:0"),
        (":1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"),
        ("12345::", "2345:0:0:0:0:0:0:0"),
        ("1::2:", "1:0:0:0:0:0:0:2"),
        ("1:2:3:4:5:6:7", None),
        ("1::2::3", None),
        (":::1", None),
        ("[::1", None),
        ("gggg::1", None),
        ("[10.0.0.1]", None),
        ("", None),
    ],
)
def test_an_ipv6_address_is_printed_in_full(text: str, address: str | None) -> None:
    assert ipv6(text) == address


@given(st.ip_addresses(v=6))
def test_every_ipv6_address_is_read_as_what_it_is(address: ipaddress.IPv6Address) -> None:
    if address.ipv4_mapped or "." in str(address):
        return
    assert ipaddress.ip_address(ipv6(str(address)) or "") == address


@given(st.ip_addresses(v=4))
def test_every_ipv4_address_is_read_as_what_it_is(address: ipaddress.IPv4Address) -> None:
    assert ipv4(str(address)) == str(address) == c_library_ipv4(str(address))
