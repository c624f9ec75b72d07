"""SIP URIs as the proxy takes them apart (parser/parse_uri.c), its leniencies included."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.sip.uri import SipUri, UriError, parse, uri_key

URI_LIKE = st.text(alphabet=st.sampled_from("sipSIPtel:@;?[]=,.&pn-rdu0159 \u00fc"), max_size=40).map(
    lambda rest: f"sip:{rest}"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:10.0.0.1", SipUri("sip", host="10.0.0.1")),
        ("SIPS:gw.test:5061", SipUri("sips", host="gw.test", port_text="5061", port=5061)),
        ("sip:u:pw@h", SipUri("sip", user="u", password="pw", host="h")),
        ("sip:u:1234@h:60", SipUri("sip", user="u", password="1234", host="h", port_text="60", port=60)),
        ("sip:[::1]:5070", SipUri("sip", host="[::1]", port_text="5070", port=5070)),
        ("sip:h?x=y", SipUri("sip", host="h", headers="x=y")),
        ("sip:h;lr?x=y", SipUri("sip", host="h", parameters="lr", headers="x=y")),
        ("sip:u;par=1@h", SipUri("sip", user="u;par=1", host="h")),
        ("sip:u?x:pw@h", SipUri("sip", user="u?x", password="pw", host="h")),
        ("tel:+491234", SipUri("tel", user="+491234")),
        ("urn:service:sos", SipUri("urn:service", host="sos")),
        ("urn:service:u@h", SipUri("urn:service", user="u", host="h")),
        ("urn:nena:service:u@h", SipUri("urn:nena:service", host="h")),
    ],
)
def test_a_uri_is_taken_apart(text: str, expected: SipUri) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("parameters", "transport"),
    [
        ("transport=tcp", "tcp"),
        ("TRANSPORT=TLS", "tls"),
        ("transport=udp;lr", "udp"),
        ("lr;transport=ws", "ws"),
        ("transport=wss", "wss"),
        ("transport=sctp", "sctp"),
        ("transport=tcpx", "other"),
        ("transport=;lr", "other"),
        ("transport=", ""),
        ("transport", ""),
        ("ransport=tcp", ""),
        ("transport=udp;transport=", "udp"),
        ("tran\u017fport=tcp", ""),
    ],
)
def test_the_transport_is_read_from_the_parameters(parameters: str, transport: str) -> None:
    assert parse(f"sip:10.0.0.1;{parameters}").transport == transport


@pytest.mark.parametrize(
    "text",
    [
        "sip:",
        "sip",
        "10.0.0.1",
        " sip:10.0.0.1",
        "http://10.0.0.1",
        "sip:@h",
        "sip::1",
        "sip:u@",
        "sip:u@:5060",
        "sip:[::1",
        "sip:[::1]x",
        "sip:h:65536",
        "sip:u@h:65536",
        "sip:h:5a",
        "sip:h:1:2",
        "sip:u@h@i",
        "sip:h;pn-prid",
        "sip:h;pn-param=",
        "sip:h;pn-purrs=1",
        "sip:h?x;y",
    ],
)
def test_what_the_proxy_refuses_is_refused(text: str) -> None:
    with pytest.raises(UriError):
        parse(text)


def test_an_error_points_at_the_character() -> None:
    with pytest.raises(UriError) as caught:
        parse("sip:u@h:5x")
    assert caught.value.position == 9


@pytest.mark.parametrize(("port", "kept"), [("0", None), ("", None), ("05060", 5060)])
def test_port_zero_and_an_empty_port_count_as_none(port: str, kept: int | None) -> None:
    assert parse(f"sip:h:{port}").port == kept


def test_a_port_before_parameters_is_cut_to_16_bits_where_no_user_stands_before_the_host() -> None:
    assert parse("sip:h:65541;lr").port == 5


def test_a_port_that_turned_out_to_be_user_is_forgotten() -> None:
    assert parse("sip:[::1]:50;x@h") == SipUri("sip", user="[::1]:50;x", host="h")


def test_the_digits_of_a_forgotten_port_are_counted_on() -> None:
    assert parse("sip:[::1]:5;x@h:06").port == 506


def test_uris_are_the_same_to_a_proxy_if_they_differ_only_by_ascii_case() -> None:
    assert uri_key("SIP:Gw.Test") == uri_key("sip:gW.tEST")
    assert uri_key("sip:\u00dc") != uri_key("sip:\u00fc")


@given(URI_LIKE)
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        uri = parse(text)
    except UriError:
        return
    assert uri.host in text
    assert uri.port is None or 0 < uri.port <= 65535


@given(
    user=st.text(alphabet=string.ascii_letters + string.digits + "+-_.;?", min_size=1, max_size=12),
    host=st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True),
    port=st.none() | st.integers(1, 65535),
)
def test_what_stands_before_the_at_is_the_user(user: str, host: str, port: int | None) -> None:
    uri = parse(f"sip:{user}@{host}" + (f":{port}" if port else ""))
    assert (uri.user, uri.host, uri.port) == (user, host, port)
