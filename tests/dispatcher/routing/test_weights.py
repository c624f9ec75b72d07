"""What weights mean in 16-bit running sums (dispatch.c: re_calculate_active_dsts)."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.routing.weights import running_sums, shares

WEIGHTS = st.lists(st.integers(0, 12), min_size=1, max_size=6)


def picked(weights: list[int], active: list[bool], number: int) -> int | None:
    """The destination that a hash picks, by the proxy's two searches one after the other."""
    sums = running_sums(weights)
    first = (
        next(i for i, each in enumerate(sums) if number % sums[-1] < each)
        if sums[-1]
        else number % len(weights)
    )
    if active[first]:
        return first
    indices = [i for i, is_active in enumerate(active) if is_active]
    if not indices:
        return None
    again = running_sums([weights[i] for i in indices])
    if not again[-1]:
        return indices[number % len(indices)]
    return next(i for i, each in zip(indices, again, strict=True) if number % again[-1] < each)


@given(WEIGHTS, st.data())
def test_shares_count_the_hashes_that_pick_each_destination(weights: list[int], data: st.DataObject) -> None:
    active = data.draw(st.lists(st.booleans(), min_size=len(weights), max_size=len(weights)))
    first = sum(weights) or len(weights)
    second = sum(w for w, on in zip(weights, active, strict=True) if on) or sum(active) or 1
    period = first * second
    counts = [0] * len(weights)
    for number in range(period):
        index = picked(weights, active, number)
        if index is not None:
            counts[index] += 1
    assert shares(weights, active).effective == tuple(Fraction(count, period) for count in counts)


@given(WEIGHTS)
def test_with_all_active_shares_are_as_the_weights_ask(weights: list[int]) -> None:
    total = sum(weights)
    expected = tuple(Fraction(weight, total) if total else Fraction(1, len(weights)) for weight in weights)
    assert shares(weights, [True] * len(weights)).effective == expected


def test_the_shares_that_the_weights_ask_for_do_not_depend_on_states() -> None:
    for active in ([True, True], [True, False], [False, False]):
        assert shares([1, 3], active).by_weight == (Fraction(1, 4), Fraction(3, 4))


def test_a_destination_whose_running_sum_starts_again_below_an_earlier_one_gets_nothing() -> None:
    assert shares([40000] * 3, [True] * 3).effective == (
        Fraction(40000, 54464),
        Fraction(0),
        Fraction(14464, 54464),
    )


def test_without_an_active_destination_nobody_gets_calls() -> None:
    assert not any(shares([1, 2], [False, False]).effective)


def test_sums_start_again_at_0_after_65535() -> None:
    assert running_sums([65535, 1, 2]) == (65535, 0, 2)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=5), st.data())
def test_shares_are_never_negative_and_sum_to_1(weights: list[int], data: st.DataObject) -> None:
    active = data.draw(st.lists(st.booleans(), min_size=len(weights), max_size=len(weights)))
    effective = shares(weights, active).effective
    assert all(share >= 0 for share in effective)
    assert sum(effective) == (1 if any(active) else 0)


@given(st.lists(st.tuples(st.integers(1, 100), st.booleans()), min_size=1, max_size=8))
def test_every_active_destination_with_a_weight_is_reached(members: list[tuple[int, bool]]) -> None:
    active = [is_active for _weight, is_active in members]
    found = shares([weight for weight, _is_active in members], active).effective
    assert [share > 0 for share in found] == active
