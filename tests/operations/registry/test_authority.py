"""MI over https with a certificate that no public authority signed: its own is given with the proxy."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import reverse

from efcp.accounts.roles import Role
from efcp.mi import certificates_in
from efcp.proxies.fan_out import ask, target_of
from efcp.proxies.models import Proxy
from tests.conftest import ClientAs
from tests.mi.misbehaving import MisbehavingServer
from tests.mi.test_tls import write_certificate


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with the self-signed certificate of a web server in front of MI, and its key."""
    return write_certificate(tmp_path / "proxy.pem")


@pytest.fixture
def authority(certificate: Path) -> str:
    """The certificate alone."""
    return certificates_in(certificate.read_text().partition("-----BEGIN PRIVATE KEY-----")[0])


@pytest.fixture
def https_url(certificate: Path) -> Iterator[str]:
    """The address of an MI over https that tells its version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def wrap(connection: socket.socket) -> socket.socket:
        return context.wrap_socket(connection, server_side=True)

    def play(peer: object) -> None:
        peer.reply(result={"Server": "OpenSIPS (3.6.8 (x86_64/linux))"})  # type: ignore[attr-defined]

    with MisbehavingServer(play, wrap) as server:
        yield f"https://127.0.0.1:{server.port}/mi"


def typed(url: str, authority: str) -> dict[str, str]:
    """What the form of a proxy sends."""
    return {
        "name": "edge-1",
        "mi_url": url,
        "partition": "default",
        "enabled": "on",
        "mi_authority": authority,
    }


def test_a_proxy_is_reached_over_https_by_its_stored_authority(
    client_as: ClientAs, https_url: str, authority: str
) -> None:
    client_as(Role.ADMINISTRATOR).post(reverse("proxies:add"), typed(https_url, f"issuer=x\n{authority}"))
    proxy = Proxy.objects.get()
    assert proxy.mi_authority == authority
    assert ask(target_of(proxy), lambda client: client.version()).value.version == "3.6.8"
    Proxy.objects.update(mi_authority="")
    refused = ask(target_of(Proxy.objects.get()), lambda client: client.version())
    assert "certificate is not trusted" in str(refused.error)


def test_the_test_button_verifies_by_what_is_typed(
    client_as: ClientAs, https_url: str, authority: str
) -> None:
    client = client_as(Role.ADMINISTRATOR)
    address = reverse("proxies:try-new")
    assert "OpenSIPS 3.6.8" in client.post(address, typed(https_url, authority)).content.decode()
    assert "certificate is not trusted" in client.post(address, typed(https_url, "")).content.decode()


@pytest.mark.parametrize(
    ("url", "text", "expected"),
    [
        ("https://127.0.0.1/mi", "hello", "No PEM certificate found"),
        ("https://127.0.0.1/mi", "-----BEGIN EC PRIVATE KEY-----", "This contains a private key"),
        (
            "https://127.0.0.1/mi",
            "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----",
            "can&#x27;t be read",
        ),
        ("http://127.0.0.1/mi", None, "Only an https address has a certificate"),
    ],
)
def test_what_can_not_verify_anything_is_refused(
    client_as: ClientAs, authority: str, url: str, text: str | None, expected: str
) -> None:
    page = client_as(Role.ADMINISTRATOR).post(reverse("proxies:add"), typed(url, text or authority))
    assert expected in page.content.decode()
    assert not Proxy.objects.exists()


def test_a_stored_one_that_can_not_be_read_is_an_answer_and_no_crash(db: None) -> None:
    broken = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"
    proxy = Proxy(name="edge-1", mi_url="https://127.0.0.1:1/mi", mi_authority=broken)
    assert "The certificate can't be read" in str(
        ask(target_of(proxy), lambda client: client.version()).error
    )
