"""An MI address is checked once, and says what is wrong with it."""

import pytest

from efcp.mi import Endpoint, EndpointError


@pytest.mark.parametrize(
    ("text", "host", "port", "target", "tls"),
    [
        ("http://10.0.0.1:8888/mi", "10.0.0.1", 8888, "/mi", False),
        ("  https://sip.example.com/mi\n", "sip.example.com", 443, "/mi", True),
        ("HTTP://Proxy-1:8888", "proxy-1", 8888, "/", False),
        ("http://[2001:db8::1]:8888/mi", "2001:db8::1", 8888, "/mi", False),
        ("http://gw_1/a/b?x=y", "gw_1", 80, "/a/b?x=y", False),
        ("http://bücher.example/mi", "xn--bcher-kva.example", 80, "/mi", False),
        ("http://proxy:/mi", "proxy", 80, "/mi", False),
    ],
)
def test_an_address_is_taken_apart(text: str, host: str, port: int, target: str, tls: bool) -> None:
    endpoint = Endpoint.parse(text)
    assert (endpoint.host, endpoint.port, endpoint.target, endpoint.tls) == (host, port, target, tls)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "missing"),
        ("   ", "missing"),
        ("10.0.0.1:8888/mi", "must begin with http:// or https://"),
        ("ftp://10.0.0.1/mi", "must begin with http:// or https://"),
        ("file:///etc/passwd", "must begin with http:// or https://"),
        ("javascript:alert(1)", "must begin with http:// or https://"),
        ("http:///mi", "no host"),
        ("http://:8888/mi", "no host"),
        ("http://user:secret@10.0.0.1/mi", "in their own fields"),
        ("http://@10.0.0.1/mi", "in their own fields"),
        ("http://10.0.0.1/mi#top", "fragment"),
        ("http://10.0.0.1/mi#", "fragment"),
        ("http://10.0.0.1:0/mi", "port"),
        ("http://10.0.0.1:65536/mi", "port"),
        ("http://10.0.0.1:mi/", "port"),
        ("http://10.0.0.1:-1/", "port"),
        ("http://[::1/mi", "not a valid URL"),
        ("http://[fish]/mi", "not a valid"),
        ("http://a..b/mi", "not a valid name"),
        (f"http://{'a' * 64}.example/mi", "not a valid name"),
        ("http://10.0.0.1\\mi", "not a valid name"),
        ("http://10.0.0.1/mi\r\nX-Evil: 1", "control character"),
        ("http://10.0.0.1/m i", "a space"),
        ("http://10.0.0.1/m\ti", "control character"),
        ("http://10.0.0.1/mü", "percent-encoded"),
    ],
)
def test_a_bad_address_is_refused_with_its_reason(text: str, expected: str) -> None:
    with pytest.raises(EndpointError, match=expected):
        Endpoint.parse(text)


def test_a_password_inside_the_address_is_not_repeated_in_the_error() -> None:
    with pytest.raises(EndpointError) as refusal:
        Endpoint.parse("http://user:s3cret-word@10.0.0.1/mi")
    assert "s3cret-word" not in repr(refusal.value)


def test_the_password_is_in_no_repr() -> None:
    assert "s3cret-word" not in repr(Endpoint("http://10.0.0.1/mi", "opensips", "s3cret-word"))


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [("a:b", "x", "colon"), ("a\r\nb", "x", "control"), ("a", "x\0", "control")],
)
def test_credentials_that_basic_auth_cannot_carry_are_refused(
    username: str, password: str, expected: str
) -> None:
    with pytest.raises(EndpointError, match=expected):
        Endpoint("http://10.0.0.1/mi", username, password)


def test_credentials_are_encoded_as_rfc_7617_shows() -> None:
    endpoint = Endpoint("http://10.0.0.1/mi", "test", "123£")
    assert endpoint.authorization == "Basic dGVzdDoxMjPCow=="


def test_without_credentials_there_is_no_authorization() -> None:
    assert Endpoint("http://10.0.0.1/mi").authorization is None
