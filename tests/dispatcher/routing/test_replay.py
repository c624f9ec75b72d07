"""Many calls at once get the very destinations that they get one by one."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.routing.destinations import LiveSet
from dispatcher.routing.environment import Environment
from dispatcher.routing.hashing import Request, hash_of, uri_keys
from dispatcher.routing.memory import ProxyMemory
from dispatcher.routing.replay import HASHED, NOWHERE, Calls, Keys, Move, Replay, hashes_of, moves
from dispatcher.routing.rows import DestinationRow
from dispatcher.routing.selecting import SelectOptions, select
from dispatcher.routing.selection import Algorithm, SelectFlag, Selection
from efcp.sip.uri import UriError

ENVIRONMENT = Environment(resolve=lambda _host, _port, _transport: ("192.0.2.1",))
URI_OF = {
    Algorithm.FROM_URI: lambda request: request.from_uri,
    Algorithm.TO_URI: lambda request: request.to_uri,
    Algorithm.REQUEST_URI: lambda request: request.request_uri,
}

WEIGHTS = st.one_of(st.integers(0, 5), st.sampled_from([40_000, 65_535]))
MEMBERS = st.lists(st.tuples(WEIGHTS, st.sampled_from([0, 0, 0, 1, 2])), min_size=1, max_size=8)
FLAGS = st.sampled_from(
    [
        SelectFlag.NONE,
        SelectFlag.USER_ONLY,
        SelectFlag.LAST_IS_DEFAULT,
        SelectFlag.USER_ONLY | SelectFlag.LAST_IS_DEFAULT,
    ]
)
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=0x17F), max_size=12)
URIS = st.sampled_from(
    ["sip:ann@example.org", "sip:bob@192.0.2.9:5062", "sip:10.0.0.1", "tel:+4930", "nonsense"]
)
REQUESTS = st.lists(
    st.builds(
        Request,
        request_uri=URIS,
        from_uri=URIS,
        to_uri=URIS,
        call_id=TEXTS,
        auth_user=st.none() | TEXTS,
        hash_value=st.none() | TEXTS,
    ),
    max_size=30,
)


def set_of(members: Sequence[tuple[int, int]]) -> LiveSet:
    """A set of these weights and states."""
    memory = ProxyMemory(ENVIRONMENT)
    memory.reload(
        [
            DestinationRow(1, f"sip:192.0.2.1:{6000 + number}", weight=str(weight), state=state)
            for number, (weight, state) in enumerate(members)
        ]
    )
    return memory.sets[1]


def calls_of(requests: Sequence[Request], algorithm: int, flags: SelectFlag) -> Calls:
    """The packed keys of requests, made by the core's own functions."""
    pairs = [_keys(request, algorithm, flags) for request in requests]
    first = Keys.of(pair[0] if pair else b"" for pair in pairs)
    second = Keys.of(pair[1] if pair else b"" for pair in pairs) if algorithm in URI_OF else None
    return Calls(first, second, np.array([pair is None for pair in pairs], np.bool_))


def _keys(request: Request, algorithm: int, flags: SelectFlag) -> tuple[bytes, ...] | None:
    if algorithm == Algorithm.CALL_ID:
        return (request.call_id_key,)
    if algorithm == Algorithm.AUTH_USER:
        return None if request.auth_key is None else (request.auth_key,)
    if algorithm == Algorithm.HASH_VARIABLE:
        return (request.hash_value_key,) if request.hash_value_key else None
    uri = URI_OF[Algorithm(algorithm)](request)
    try:
        return uri_keys(uri, ENVIRONMENT, user_only=SelectFlag.USER_ONLY in flags)
    except UriError:
        return None


def one_by_one(live: LiveSet, algorithm: int, requests: Sequence[Request], flags: SelectFlag) -> list[int]:
    """Whom each call gets by the core."""
    options = SelectOptions(flags=flags)
    found = [select(live, algorithm, request, ENVIRONMENT, options) for request in requests]
    return [each.chosen.index if isinstance(each, Selection) else NOWHERE for each in found]


@given(st.lists(st.binary(max_size=23), max_size=20), st.data())
def test_the_hash_is_the_cores(keys: list[bytes], data: st.DataObject) -> None:
    others = [data.draw(st.binary(max_size=9)) for _ in keys]
    assert hashes_of(Keys.of(keys)).tolist() == [hash_of(key) for key in keys]
    pairs = zip(keys, others, strict=True)
    assert hashes_of(Keys.of(keys), Keys.of(others)).tolist() == [hash_of(*pair) for pair in pairs]


@pytest.mark.parametrize("algorithm", sorted(HASHED))
@given(members=MEMBERS, requests=REQUESTS, flags=FLAGS)
def test_hashed_calls_get_what_they_get_one_by_one(
    algorithm: int, members: list[tuple[int, int]], requests: list[Request], flags: SelectFlag
) -> None:
    live = set_of(members)
    chosen = Replay(live, algorithm, flags).choose(calls_of(requests, algorithm, flags))
    assert chosen.tolist() == one_by_one(live, algorithm, requests, flags)


@given(members=MEMBERS, portions=st.lists(st.integers(0, 90), max_size=4), flags=FLAGS)
def test_round_robin_goes_on_from_portion_to_portion(
    members: list[tuple[int, int]], portions: list[int], flags: SelectFlag
) -> None:
    live = set_of(members)
    replay = Replay(live, Algorithm.ROUND_ROBIN, flags)
    chosen = [index for count in portions for index in replay.choose_unkeyed(count).tolist()]
    assert chosen == one_by_one(live, Algorithm.ROUND_ROBIN, [Request()] * sum(portions), flags)


@given(members=MEMBERS, before=st.integers(0, 20), flags=FLAGS)
def test_round_robin_begins_where_the_proxy_stands(
    members: list[tuple[int, int]], before: int, flags: SelectFlag
) -> None:
    live = set_of(members)
    one_by_one(live, Algorithm.ROUND_ROBIN, [Request()] * before, flags)
    replay = Replay(live, Algorithm.ROUND_ROBIN, flags)
    expected = one_by_one(live, Algorithm.ROUND_ROBIN, [Request()] * 60, flags)
    assert replay.choose_unkeyed(60).tolist() == expected


@given(members=MEMBERS, requests=REQUESTS, cut=st.integers(0, 30))
def test_calls_without_a_user_follow_the_call_before_them_in_any_portion(
    members: list[tuple[int, int]], requests: list[Request], cut: int
) -> None:
    live = set_of(members)
    replay = Replay(live, Algorithm.AUTH_USER)
    parts = [
        calls_of(part, Algorithm.AUTH_USER, SelectFlag.NONE) for part in (requests[:cut], requests[cut:])
    ]
    chosen = [index for part in parts for index in replay.choose(part).tolist()]
    assert chosen == one_by_one(live, Algorithm.AUTH_USER, requests, SelectFlag.NONE)


def test_the_first_entry_takes_every_call_of_algorithm_8() -> None:
    live = set_of([(1, 1), (1, 0), (1, 0)])
    assert Replay(live, Algorithm.FIRST).choose_unkeyed(3).tolist() == [1, 1, 1]


def test_a_million_turns_repeat_the_lap() -> None:
    live = set_of([(3, 0), (2, 0), (1, 1), (65_535, 0)])
    chosen = Replay(live, Algorithm.ROUND_ROBIN).choose_unkeyed(1_000_000)
    shares = np.bincount(chosen, minlength=4)
    assert shares.sum() == 1_000_000
    assert shares[2] == 0
    assert abs(shares[0] / shares[1] - 1.5) < 0.1


@pytest.mark.parametrize("algorithm", [Algorithm.RANDOM, Algorithm.LOAD, Algorithm.SCORE, 11])
def test_what_needs_more_than_keys_is_refused(algorithm: int) -> None:
    with pytest.raises(ValueError, match="can't be replayed"):
        Replay(set_of([(1, 0)]), algorithm)


def test_moves_are_identified_by_uri_and_not_by_place() -> None:
    before = np.array([0, 0, 1, 1, NOWHERE], np.int32)
    after = np.array([1, 0, 0, 1, 0], np.int32)
    found = moves(before, after, ["a", "b"], ["b", "c"])
    assert set(found) == {Move("a", "c", 1), Move("a", "b", 1), Move("b", "c", 1), Move(None, "b", 1)}


def test_what_loses_most_is_listed_first() -> None:
    before, after = np.array([0, 1, 1], np.int32), np.array([1, 0, 0], np.int32)
    assert moves(before, after, ["a", "b"], ["a", "b"]) == [Move("b", "a", 2), Move("a", "b", 1)]
