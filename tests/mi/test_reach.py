"""Which addresses may be connected to; no connection is opened to judge one."""

import socket
from ipaddress import ip_network

import pytest

from efcp.mi import Endpoint, MiClient
from efcp.mi.endpoint import ANYWHERE, Reach
from efcp.mi.errors import Obstacle, UnreachableError
from tests.mi.misbehaving import Serve


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fd20:ce::254"),
        *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
        *("::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"),
        *("0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1", "255.255.255.255"),
    ],
)
def test_some_addresses_never_may(address: str) -> None:
    assert ANYWHERE.refusal(address)
    assert Reach((ip_network("0.0.0.0/0"), ip_network("::/0"))).refusal(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "fd12::1", "8.8.8.8", "2001:db8::1"],
)
def test_all_others_may_unless_networks_are_named(address: str) -> None:
    assert not ANYWHERE.refusal(address)
    assert Reach((ip_network("10.9.0.0/16"),)).refusal(address)


def test_of_named_networks_every_address_may_however_it_is_written() -> None:
    reach = Reach((ip_network("10.9.0.0/16"), ip_network("::1/128")))
    assert not any(reach.refusal(address) for address in ("10.9.8.7", "::ffff:10.9.8.7", "::1"))


def test_a_name_is_judged_by_the_address_that_is_connected_to(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda peer: peer.reply(result="OK"))
    port = Endpoint(server.url).port
    endpoint = Endpoint(f"http://rebinds.test:{port}/mi", reach=Reach((ip_network("10.0.0.0/8"),)))
    assert not endpoint.reach.refusal_of_host(endpoint.host)

    def look_up(_host: str, port: int, **_more: object) -> list[object]:
        if _more.get("flags"):
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(UnreachableError, match="outside the allowed networks") as error:
        MiClient(endpoint).version()
    assert error.value.obstacle is Obstacle.FORBIDDEN
    assert not server.requests
