"""Probing a destination from the panel: what is sent, what is made of the answers, and who may."""

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispatcher.models import Destination
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.operations.probes import services, views
from efcp.operations.probes.models import ProbeRun
from efcp.operations.probes.selectors import UNLESS_LISTED, ProbeLine
from efcp.operations.probes.sending import ProbeOutcome, ProbeToSend, send
from efcp.sip.options import MODULE_FROM
from tests.conftest import AddRow, ClientAs
from tests.dispatcher.conftest import hold, make_proxy
from tests.mi.misbehaving import MisbehavingServer
from tests.mi.test_tls import write_certificate
from tests.operations.probes.gateway import Answer, Gateway, reply, status

Serve = Callable[..., Gateway]
FROM = "sip:probe@proxy.example"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that starts a gateway."""
    started: list[Gateway] = []

    def start(answer: Answer, transport: str = "udp", tls: ssl.SSLContext | None = None) -> Gateway:
        started.append(Gateway(answer, transport, tls).start())
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


@pytest.fixture
def _ended_probes(transactional_db: None) -> Iterator[None]:
    """Wait for the probes that a test began, before the database goes."""
    yield
    for thread in threading.enumerate():
        if thread.name == "probe":
            thread.join(20)


def probe(port: int, transport: str = "udp", limit_s: float = 5.0) -> ProbeOutcome:
    uri = f"sip:gw@gw.example.test:{port}"
    return send(ProbeToSend("OPTIONS", uri, FROM, transport, "127.0.0.1", port), limit_s)


@pytest.mark.parametrize("line", ["200 OK", "401 Unauthorized", "404 Not Found", "405 No", "483 Too Many"])
def test_the_code_and_its_reason_are_reported(serve: Serve, line: str) -> None:
    outcome = probe(serve(status(line)).port)
    assert (f"{outcome.code} {outcome.reason}", outcome.problem) == (line, "")
    assert outcome.source.startswith("127.0.0.1:")


def test_the_request_is_that_of_a_proxy(serve: Serve) -> None:
    gateway = serve(status("200 OK"))
    outcome = probe(gateway.port)
    lines = gateway.requests[0].split("\r\n")
    uri = f"sip:gw@gw.example.test:{gateway.port}"
    assert lines[0] == f"OPTIONS {uri} SIP/2.0"
    assert lines[1].startswith(f"Via: SIP/2.0/UDP {outcome.source};branch=z9hG4bK")
    assert lines[2] == f"To: <{uri}>"
    assert lines[3].startswith(f"From: <{FROM}>;tag=")
    assert {"Max-Forwards: 70", "Content-Length: 0", "CSeq: 10 OPTIONS"} <= set(lines)
    assert not any(line.startswith("Contact") for line in lines)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_streams_are_probed_too(serve: Serve, tmp_path: Path, transport: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(write_certificate(tmp_path / "gateway.pem"))
    gateway = serve(status("404 Not Found"), transport, context if transport == "tls" else None)
    assert probe(gateway.port, transport).code == 404
    assert f"Via: SIP/2.0/{transport.upper()} " in gateway.requests[0]


def test_what_does_not_speak_tls_ends_at_the_limit_too(serve: Serve) -> None:
    gateway = serve(status("200 OK"), "tcp")
    assert probe(gateway.port, "tls", 0.4).problem == "No reply within 0.4 s."


def test_silence_ends_at_the_limit_and_is_reported(serve: Serve) -> None:
    gateway = serve(lambda _request: [])
    outcome = probe(gateway.port, limit_s=0.8)
    assert (outcome.code, outcome.problem) == (None, "No reply within 0.8 s.")
    assert len(gateway.requests) == 2  # sent again after half a second


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_refused_port_is_reported_at_once(serve: Serve, transport: str) -> None:
    gateway = Gateway(status("200 OK"), transport).start()
    port = gateway.port
    gateway.stop()
    assert probe(port, transport, 30.0).problem == "Connection refused: nothing listens on the port."


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: [reply(request, "200 OK").replace("branch=z9hG4bK", "branch=z9hG4bKx")],
        lambda request: [reply(request, "200 OK").replace("CSeq: 10 OPTIONS", "CSeq: 10 INVITE")],
        lambda _request: ["SIP/2.0 200 OK\r\n\r\n", "\x00\r\n\r\n", "OPTIONS sip:x SIP/2.0\r\n\r\n", ""],
    ],
    ids=["another transaction", "another method", "no answer at all"],
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_is_no_answer_to_the_probe_does_not_count(serve: Serve, answer: Answer, transport: str) -> None:
    outcome = probe(serve(answer, transport).port, transport, 0.4)
    assert outcome.code is None
    assert outcome.problem


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_provisional_answer_is_waited_beyond(serve: Serve, transport: str) -> None:
    gateway = serve(lambda request: [reply(request, "100 Trying"), reply(request, "200 OK")], transport)
    outcome = probe(gateway.port, transport)
    assert (outcome.provisional, outcome.code) == (100, 200)


def test_a_provisional_answer_alone_is_reported(serve: Serve) -> None:
    gateway = serve(lambda request: [reply(request, "100 Trying")])
    assert probe(gateway.port, limit_s=0.4).problem == "No reply after a 100 within 0.4 s."


def test_a_server_that_drips_does_not_prolong_the_probe() -> None:
    with MisbehavingServer(lambda peer: peer.drip(b"SIP/2.0 200 OK ")) as server:
        assert probe(server.port, "tcp", 0.5).problem == "No reply within 0.5 s."


@pytest.fixture
def row_id(_ended_probes: None, add_row: AddRow, serve: Serve) -> int:
    """A destination whose gateway answers 404."""
    return add_row(f"sip:127.0.0.1:{serve(status('404 Not <Found>')).port}")


@pytest.fixture
def quick(_ended_probes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a request wait for its probe's end."""
    monkeypatch.setattr(views, "WAIT_S", 10.0)


def posted(client: Client, row_id: int, **changes: str) -> str:
    """Send the form as it stands with `changes`; the page that comes, on one line."""
    url = reverse("operations:probe", args=[row_id])
    page = client.get(url)
    form = page.context["form"]
    targets = form.fields["target"].choices
    data = {
        "target": targets[0][0] if targets else "",
        "method": "OPTIONS",
        "from_uri": form["from_uri"].value(),
    }
    return " ".join(unescape(client.post(url, data | changes, follow=True).content.decode()).split())


@pytest.mark.usefixtures("quick")
def test_an_operator_probes_and_is_shown_code_time_and_address(operator: Client, row_id: int) -> None:
    page = posted(operator, row_id)
    run = ProbeRun.objects.get()
    assert (run.code, run.reason, run.from_uri) == (404, "Not <Found>", MODULE_FROM)
    assert "404 Not <Found>" in page
    assert f"{run.took_ms:.1f} ms" in page
    assert f"127.0.0.1 port {run.port}" in page
    assert "sent from the panel" in page
    assert "unless it is in options_reply_codes" in page
    record = AuditRecord.objects.get(action="probe")
    assert (record.subject_id, record.actor) == (str(row_id), run.actor)


@pytest.mark.usefixtures("quick")
def test_the_from_is_kept_for_the_next_probe(operator: Client, row_id: int) -> None:
    posted(operator, row_id, from_uri=FROM)
    page = operator.get(reverse("operations:probe", args=[row_id]))
    assert page.context["form"]["from_uri"].value() == FROM


@pytest.mark.usefixtures("quick")
def test_the_address_that_a_proxy_has_is_probed(operator: Client, add_row: AddRow, serve: Serve) -> None:
    gateway = serve(status("200 OK"))
    uri = "sip:gw.example.test:5060"
    row = add_row(uri)
    hold(make_proxy("edge-1"), uri, addresses=[f"127.0.0.1:{gateway.port}"])
    page = posted(operator, row)
    assert "200 OK" in page
    assert "as resolved by edge-1" in page
    assert gateway.requests[0].startswith(f"OPTIONS {uri} SIP/2.0")


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "|127.0.0.9|5060"},
        {"target": ""},
        {"method": "INVITE"},
        {"from_uri": "sip:a@b>\r\nEvil: yes"},
        {"from_uri": "nobody"},
        {"from_uri": "tel:+4930"},
        {"from_uri": ""},
    ],
    ids=str,
)
def test_only_known_addresses_and_sound_values_are_sent_to(
    operator: Client, row_id: int, changes: dict[str, str]
) -> None:
    posted(operator, row_id, **changes)
    assert ProbeRun.objects.count() == 0


@pytest.mark.parametrize(
    "uri",
    [
        "no uri",
        "",
        "tel:+4930",
        "sip:a b@127.0.0.1",
        "sip:127.0.0.1;transport=sctp",
        "sip:nowhere.example.test",
    ],
)
def test_what_can_t_be_probed_shows_why(operator: Client, add_row: AddRow, uri: str) -> None:
    page = posted(operator, add_row(uri))
    assert "Can't probe." in page
    assert ProbeRun.objects.count() == 0


@pytest.mark.parametrize("address", ["169.254.169.254", "224.0.0.1", "100.100.100.200", "::ffff:a9fe:101"])
def test_nothing_is_sent_to_addresses_that_are_never_connected_to(
    operator: Client, add_row: AddRow, address: str
) -> None:
    host = f"[{address}]" if ":" in address else address
    assert "Can't probe." in posted(operator, add_row(f"sip:{host}"))
    assert ProbeRun.objects.count() == 0
    sent = ProbeToSend("OPTIONS", f"sip:{host}", FROM, "udp", address, 5060)
    assert send(sent, 1.0).problem.startswith("Not sent: ")


def test_a_row_that_would_smuggle_a_header_is_not_sent(operator: Client, add_row: AddRow) -> None:
    row = add_row("sip:127.0.0.1")
    Destination.objects.filter(pk=row).update(destination="sip:x@127.0.0.1;a=b\r\nEvil: yes")
    assert "Can't probe." in posted(operator, row)


@pytest.mark.parametrize("role", [None, Role.VIEWER], ids=str)
def test_nobody_below_an_operator_probes(client_as: ClientAs, row_id: int, role: Role | None) -> None:
    client = client_as(role)
    url = reverse("operations:probe", args=[row_id])
    refused = 302 if role is None else 403
    assert client.get(url).status_code == client.post(url, {"target": "x"}).status_code == refused
    assert ProbeRun.objects.count() == 0


def test_a_get_sends_nothing(operator: Client, row_id: int) -> None:
    url = reverse("operations:probe", args=[row_id])
    operator.get(url, {"target": "x", "method": "OPTIONS", "from_uri": FROM})
    assert ProbeRun.objects.count() == AuditRecord.objects.filter(action="probe").count() == 0


def under_way(uri: str, age: timedelta = timedelta()) -> ProbeRun:
    """A probe that was started `age` ago and has no end."""
    started_at = timezone.now() - age
    return ProbeRun.objects.create(
        setid=1,
        uri=uri,
        uri_key=uri,
        method="OPTIONS",
        from_uri=FROM,
        transport="udp",
        address="127.0.0.1",
        port=5060,
        actor="somebody",
        started_at=started_at,
        deadline=started_at + timedelta(seconds=10),
    )


@pytest.mark.parametrize(("code", "is_good"), [(200, True), (202, False), (299, False)])
def test_only_a_200_is_good_on_every_proxy(db: None, code: int, is_good: bool) -> None:
    probe = under_way("sip:10.0.0.1")
    probe.code = code
    line = ProbeLine(probe, is_open=False)
    assert line.is_good is is_good
    assert (UNLESS_LISTED in line.meaning) is not is_good


def test_no_second_probe_of_a_destination_is_sent_meanwhile(operator: Client, row_id: int) -> None:
    under_way(Destination.objects.get().destination)
    assert "already in progress" in posted(operator, row_id)
    assert ProbeRun.objects.count() == 1


def test_no_more_than_a_few_run_at_once(operator: Client, row_id: int) -> None:
    for number in range(services.MOST_AT_ONCE):
        under_way(f"sip:10.0.0.{number}")
    assert "probes are in progress" in posted(operator, row_id)


def test_a_probe_whose_process_ended_is_unknown_and_holds_nobody_up(operator: Client, row_id: int) -> None:
    under_way(Destination.objects.get().destination, timedelta(minutes=1))
    page = posted(operator, row_id)
    assert "The panel was stopped before a reply arrived." in page
    assert ProbeRun.objects.count() == 2


@pytest.mark.usefixtures("_ended_probes")
def test_a_page_of_a_probe_under_way_looks_again_and_no_request_waits_for_it(
    operator: Client,
    add_row: AddRow,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "LIMIT_S", 0.5)
    monkeypatch.setattr(views, "WAIT_S", 0.0)
    page = posted(operator, add_row(f"sip:127.0.0.1:{serve(lambda _request: []).port}"))
    assert 'hx-trigger="every 1s"' in page
    assert "Waiting" in page
