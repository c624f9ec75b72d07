"""A proxy that never answered is unknown, by that one word, on every page that tells what proxies hold."""

from collections.abc import Callable

import pytest
from django.urls import reverse

from efcp.accounts.roles import Role
from tests.conftest import ClientAs
from tests.operations.conftest import URI
from tests.operations.fake_proxy import Play
from tests.proxies.mi_server import listed

WRONG = ("does not hold", "not in memory", "Not in memory", "not loaded", "0 of 0")
"""What nobody knows of it."""


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("dispatcher:list", ""),
        ("operations:board", ""),
        ("operations:choose", "?setid=1"),
        ("operations:state", ""),
        ("operations:destination", ""),
        ("operations:reload", ""),
        ("operations:maintenance-begin", ""),
        ("preview:call-share", ""),
    ],
)
def test_it_is_unknown(
    play: Play, client_as: ClientAs, add_row: Callable[..., int], page: str, query: str
) -> None:
    row_id, _other = add_row(URI), add_row("sip:10.0.0.2:5060")
    edge = play(sets={1: [listed(URI, description=""), listed("sip:10.0.0.2:5060", description="")]})
    edge.remembered(edge.row("edge-1"))
    edge.row("edge-2")
    of_one = page in {
        "operations:state",
        "operations:destination",
        "operations:maintenance-begin",
        "preview:call-share",
    }
    address = reverse(page, args=[row_id] if of_one else []) + query
    text = client_as(Role.ADMINISTRATOR).get(address).text
    main = text.rpartition("<main")[2]  # without the top bar
    section = main[main.index("edge-2") :]
    assert not [words for words in WRONG if words in section]
    if page != "operations:maintenance-begin":  # it asks on which proxies, and tells no state
        assert "unknown" in main.lower()
