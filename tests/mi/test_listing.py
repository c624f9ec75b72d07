"""A list that is read while it comes is the list that it is when it is read as a whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efcp.mi.errors import MiError, NotMiError, ReplyTooLargeError
from efcp.mi.jsonrpc import BadReplyError, decode_reply
from efcp.mi.listing import MAX_FRAME_BYTES, MAX_NODES, MAX_PENDING_BYTES, ListReader
from efcp.mi.replies import DsList, Reply, parse_ds_list

ODD = '}],[{"\\ \t\u00e9"Destinations"'


def destination(**more: Any) -> dict[str, Any]:
    return {
        "URI": "sip:10.0.0.1:5060",
        "state": "Active",
        "first_hit_counter": 0,
        "attr": ODD,
        "resolved_addresses": ["10.0.0.1:5060", ODD],
    } | more


def reply(*sets: list[Any], **more: Any) -> bytes:
    """A reply with a partition of these sets."""
    listed = [{"id": number, "Destinations": each} for number, each in enumerate(sets)]
    result = {"PARTITIONS": [{"name": "default", "SETS": listed}]}
    return json.dumps({"jsonrpc": "2.0", "id": 7, "result": result} | more).encode()


def as_a_whole(body: bytes) -> DsList | str:
    try:
        return parse_ds_list(Reply(decode_reply(body, 7, str), 0.0))
    except MiError as error:
        return str(error)


def in_pieces(body: bytes, size: int) -> DsList | str:
    reader = ListReader(10**9)
    try:
        for begin in range(0, len(body), size):
            reader.feed(body[begin : begin + size])
        reader.end()
        return parse_ds_list(Reply(decode_reply(bytes(reader.frame), 7, str), 0.0), reader.cut)
    except BadReplyError as error:
        return f"The answer is not MI's: {error}."
    except MiError as error:
        return str(error)


BODIES = (
    reply(),
    reply([]),
    reply([destination()]),
    reply([destination(), destination(URI="sip:b")], [], [destination(attr=None)], [destination()] * 9),
    reply([destination(weight=1, priority=0, description=ODD)] * 3),
    reply([destination(), 7]),
    reply([destination(), destination(), destination(state="Gone"), destination(state=1)]),
    reply([1, destination()]),
    reply([[destination()]]),
    reply([destination(), {"URI": {"a": 1}}, destination()]),
    reply([destination()], id=8),
    b'{"jsonrpc":"2.0","id":7,"error":{"code":500,"message":"Destinations"}}',
    reply([destination()])[:-1],
    reply([destination()])[:-30],
    reply([destination()]) + b"x",
    reply([destination()]).replace(b'"Active",', b'"Active"'),
    reply([destination(), destination()]).replace(b"}, {", b"} {"),
    reply([destination(), destination()]).replace(b"}, {", b"}, , {"),
    reply([destination(), destination()]).replace(b"}]}]", b"}, ]}]"),
    reply([destination()]).replace(b'"Destinations": [', b'"Destinations": ["a b 0", '),
    b'{"jsonrpc":"2.0","id":7,"result":{"Destinations":[{"a":1}]}}',
    b'"Destinations',
    b"",
)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("size", [1, 2, 7, 100, 10**6])
def test_in_pieces_it_is_the_same(body: bytes, size: int) -> None:
    whole, pieces = as_a_whole(body), in_pieces(body, size)
    if isinstance(whole, str) and "not valid JSON" in whole:
        # The place is that of the frame.
        assert isinstance(pieces, str)
        assert "The answer is not MI's: " in pieces
    else:
        assert pieces == whole


TEXTS = st.text(alphabet=st.sampled_from('ab}{][",\\ é\n'), max_size=8)
VALUES: st.SearchStrategy[Any] = st.one_of(
    TEXTS, st.integers(), st.none(), st.lists(TEXTS, max_size=2), st.just({})
)


@given(st.lists(st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=4)), st.integers(1, 50))
def test_whatever_stands_in_it_it_is_the_same(sets: list[list[Any]], size: int) -> None:
    sets = [
        [destination() | each if index % 2 else each for index, each in enumerate(group)] for group in sets
    ]
    body = reply(*sets)
    assert in_pieces(body, size) == as_a_whole(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"result":"' + b"x" * 2 * MAX_PENDING_BYTES,
        b'{"result":[' + b"[]," * 2 * MAX_NODES,
        b'{"result":[' + b"1," * MAX_FRAME_BYTES,
        b'{"Destinations":[{"a":{"b":"' + b"x" * 2 * MAX_PENDING_BYTES,
        b'{"Destinations":[{"a":[' + b'"x",' * MAX_PENDING_BYTES,
    ],
)
def test_what_would_take_much_memory_is_refused_early(body: bytes) -> None:
    reader = ListReader(10**9)

    def feed() -> None:
        for begin in range(0, len(body), 65536):
            reader.feed(body[begin : begin + 65536])

    with pytest.raises(BadReplyError, match="too"):
        feed()


def test_what_is_larger_than_permitted_is_refused() -> None:
    reader = ListReader(100)
    with pytest.raises(ReplyTooLargeError):
        reader.feed(b" " * 101)


def test_no_text_of_a_proxy_stands_for_a_destination() -> None:
    reader = ListReader(10**9)
    reader.feed(reply([destination()]))
    reader.end()
    (name,) = reader.cut
    forged = reply([name, destination()])
    assert isinstance(in_pieces(forged, 100), str)
    with pytest.raises(NotMiError):
        parse_ds_list(Reply(decode_reply(forged, 7, str), 0.0))
