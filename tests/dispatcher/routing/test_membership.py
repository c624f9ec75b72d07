"""Whether an address belongs to a destination (dispatch.c: ds_is_in_list)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.routing.membership import NoAddressError
from dispatcher.routing.rows import DestinationRow
from tests.dispatcher.routing.proxies import memory

PROXY = memory(
    DestinationRow(2, "sip:10.0.0.1:5080", attrs="trunk=a"),
    DestinationRow(1, "sip:10.0.0.1:5060", state=1, attrs="trunk=b"),
    DestinationRow(1, "sip:six.test:5070"),
    DestinationRow(1, "sip:10.0.0.4;transport=tcp", attrs=".hidden"),
)


def found(ip: str, port: int = 0, setid: int | None = None, **options: object) -> tuple[int, str] | None:
    """The set and the URI of the destination that is found."""
    active_only = bool(options.get("active_only"))
    pattern = options.get("pattern")
    member = PROXY.is_in_list(
        ip, port, setid, active_only=active_only, pattern=None if pattern is None else str(pattern)
    )
    return None if member is None else (member[0], member[1].loaded.uri)


def test_the_first_set_of_ds_list_that_has_the_address_is_reported() -> None:
    assert found("10.0.0.1") == (1, "sip:10.0.0.1:5060")


def test_the_port_and_the_set_narrow_the_search() -> None:
    assert found("10.0.0.1", 5080) == (2, "sip:10.0.0.1:5080")
    assert found("10.0.0.1", setid=2) == (2, "sip:10.0.0.1:5080")
    assert found("10.0.0.1", 5080, setid=1) is None
    assert found("10.0.0.9") is None


def test_a_destination_of_unknown_port_is_found_by_any() -> None:
    assert found("10.0.0.4", 9999) == (1, "sip:10.0.0.4;transport=tcp")


def test_every_address_of_a_name_counts_in_any_spelling() -> None:
    assert (
        found("2001:db8:0::7", 5070)
        == found("[2001:DB8::7]")
        == found("10.7.7.8")
        == (1, "sip:six.test:5070")
    )


def test_only_active_ones_where_that_is_requested() -> None:
    assert found("10.0.0.1", active_only=True) == (2, "sip:10.0.0.1:5080")


@pytest.mark.parametrize(
    ("pattern", "uri"),
    [
        ("trunk=a", "sip:10.0.0.1:5080"),
        ("trunk=[!b]", "sip:10.0.0.1:5080"),
        ("*=?", "sip:10.0.0.1:5060"),
        (r"trunk\=b", "sip:10.0.0.1:5060"),
        ("trunk", None),
        ("[a-c]*", None),
    ],
)
def test_the_attributes_have_to_match_the_shell_pattern(pattern: str, uri: str | None) -> None:
    member = found("10.0.0.1", pattern=pattern)
    assert (member[1] if member else None) == uri


@pytest.mark.parametrize(("pattern", "matches"), [("*", False), ("?hidden", False), (".*", True)])
def test_a_leading_period_is_matched_by_a_period_only(pattern: str, matches: bool) -> None:
    assert (found("10.0.0.4", pattern=pattern) is not None) == matches


def test_a_destination_without_attributes_matches_no_pattern() -> None:
    assert found("10.7.7.8", pattern="*") is None


def test_a_name_is_no_address() -> None:
    with pytest.raises(NoAddressError):
        found("six.test")


@pytest.mark.parametrize(
    ("pattern", "attrs", "matches"),
    [
        ("[]1]", "]", True),
        ("[a-]", "-", True),
        ("[^x]", "y", True),
        ("a[b", "a[b", True),
        ("[!z-a]", "q", True),
        ("[z-a]", "q", False),
        ("[.]x", ".x", False),
        ("[a-c]", "b", True),
        ("[a-cx]", "x", True),
        ("[!a-c]", "b", False),
        ("[a]", "X", False),
        ("a*c", "abd", False),
        ("*bc", "ac", False),
        ("?bc", "ac", False),
        ("a?c", "abd", False),
        ("a\\", "a\\", True),
        (r"\*", "*", True),
        ("", "a", False),
        ("A", "a", False),
    ],
)
def test_brackets_hold_single_characters_and_ranges(pattern: str, attrs: str, matches: bool) -> None:
    proxy = memory(DestinationRow(1, "sip:10.0.0.1", attrs=attrs))
    assert (proxy.is_in_list("10.0.0.1", pattern=pattern) is not None) == matches


@given(st.text(alphabet="ab[]!^-*?.\\|&~", max_size=12), st.text(alphabet="ab]-.*", max_size=5))
def test_any_pattern_can_be_searched(pattern: str, attrs: str) -> None:
    member = memory(DestinationRow(1, "sip:10.0.0.1", attrs=attrs)).is_in_list("10.0.0.1", pattern=pattern)
    assert member is None or member[0] == 1
