"""MI over https."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from efcp.mi import (
    Endpoint,
    EndpointError,
    MiClient,
    NotMiError,
    Obstacle,
    Stage,
    TooSlowError,
    UnreachableError,
    certificates_in,
)
from tests.mi.misbehaving import GIVE_UP_S, MisbehavingServer, Peer, Play

ServeTls = Callable[[Play], MisbehavingServer]


@pytest.fixture(scope="module")
def certificate(make_certificate: Callable[[], Path]) -> Path:
    """A file with a self-signed certificate for 127.0.0.1 and its key."""
    return make_certificate()


@pytest.fixture(scope="module")
def make_certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Return a function that writes such a file, each time with another key."""
    return lambda: write_certificate(tmp_path_factory.mktemp("tls") / "proxy.pem")


def write_certificate(file: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 and its key, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "proxy")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


@pytest.fixture
def serve_tls(certificate: Path) -> Iterator[ServeTls]:
    """Return a function that starts a server over TLS which does this after each request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def wrap(connection: socket.socket) -> socket.socket:
        return context.wrap_socket(connection, server_side=True)

    with ExitStack() as servers:
        yield lambda play: servers.enter_context(MisbehavingServer(play, wrap))


@pytest.fixture
def authority(certificate: Path) -> str:
    """The server's certificate, by which it is to be verified."""
    return certificates_in(certificate.read_text().partition("-----BEGIN PRIVATE KEY-----")[0])


def https(server: MisbehavingServer, authority: str = "") -> Endpoint:
    return Endpoint(f"https://127.0.0.1:{server.port}/mi", authority=authority)


def test_a_trusted_proxy_is_sent_requests_over_tls(serve_tls: ServeTls, authority: str) -> None:
    server = serve_tls(lambda peer: peer.reply(result={"Server": "OpenSIPS (3.6.8 (x86_64/linux))"}))
    assert MiClient(https(server, authority)).version().version == "3.6.8"


def test_an_untrusted_certificate_is_unreachable_with_the_reason(serve_tls: ServeTls) -> None:
    server = serve_tls(lambda peer: peer.reply(result="OK"))
    with pytest.raises(UnreachableError, match="certificate is not trusted: self-signed") as error:
        MiClient(https(server)).version()
    assert error.value.obstacle is Obstacle.TLS
    assert not server.requests


@pytest.fixture
def plain_http() -> Iterator[int]:
    """The port of a server that answers anything, a TLS hello too, in plain HTTP."""

    def answer() -> None:
        connection, _address = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(GIVE_UP_S)
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_plain_http_behind_an_https_address_is_reported(plain_http: int) -> None:
    with pytest.raises(UnreachableError, match=r"TLS failed \(.*wrong version number") as error:
        MiClient(Endpoint(f"https://127.0.0.1:{plain_http}/mi"), GIVE_UP_S).version()
    assert error.value.obstacle is Obstacle.TLS


def test_a_drip_over_tls_is_cut_off_at_the_deadline(serve_tls: ServeTls, authority: str) -> None:
    def play(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        peer.drip(b" ")

    server = serve_tls(play)
    with pytest.raises(TooSlowError) as slow:
        MiClient(https(server, authority), 0.5).version()
    assert slow.value.stage is Stage.BODY
    assert server.client_closed.wait(GIVE_UP_S)


def test_a_connection_that_breaks_over_tls_is_not_mi(serve_tls: ServeTls, authority: str) -> None:
    server = serve_tls(lambda peer: None)
    with pytest.raises(NotMiError, match="closed without a reply"):
        MiClient(https(server, authority), GIVE_UP_S).version()


def test_only_certificates_are_taken_and_nothing_around_them(certificate: Path, authority: str) -> None:
    assert certificates_in(f"subject=proxy\n{authority}\nissuer=proxy") == authority
    with pytest.raises(ValueError, match="private key"):
        certificates_in(certificate.read_text())
    for text in ("hello", authority.replace("M", "é"), authority.replace("MI", "AB", 1)):
        with pytest.raises(ValueError, match=r"No PEM certificate|can't be read"):
            certificates_in(text)
    with pytest.raises(EndpointError, match="can't be read"):
        Endpoint(
            "https://127.0.0.1/mi", authority="-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"
        )


def test_another_authority_than_the_servers_is_not_trusted(
    serve_tls: ServeTls, make_certificate: Callable[[], Path]
) -> None:
    other = certificates_in(make_certificate().read_text().partition("-----BEGIN PRIVATE KEY-----")[0])
    server = serve_tls(lambda peer: peer.reply(result="OK"))
    with pytest.raises(UnreachableError, match="not trusted"):
        MiClient(https(server, other)).version()
    assert not server.requests


def test_a_request_is_one_tls_record(certificate: Path, authority: str) -> None:
    """OpenSIPS's own httpd does not answer over TLS where the body is a record of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    first_records: list[bytes] = []

    def answer() -> None:
        connection, _address = listener.accept()
        with context.wrap_socket(connection, server_side=True) as wrapped:
            first_records.append(wrapped.recv(65_536))  # one record at most

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(GIVE_UP_S)
        thread = threading.Thread(target=answer)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/mi"
        with pytest.raises(NotMiError, match="closed without a reply"):
            MiClient(Endpoint(url, authority=authority), GIVE_UP_S).version()
        thread.join()
    assert first_records[0].endswith(b'"method":"version"}')
