"""This machine's loopback: the only addresses that the sandbox ever sends to."""

import ipaddress

Address = tuple[str, int]
_LOOPBACK_4 = ipaddress.ip_network("127.0.0.0/8")
_LOOPBACK_6 = ipaddress.ip_address("::1")


def is_loopback(host: str) -> bool:
    """Tell whether `host` is an address in 127.0.0.0/8, or ::1. Names never are."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address == _LOOPBACK_6 or (address.version == 4 and address in _LOOPBACK_4)


def address_and_port(listed: str) -> Address | None:
    """The parts of ds_list's `resolved_addresses`; None where it is none. The port may be 0."""
    host, _, port = listed.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 1 << 16):
        return None
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError:
        return None
