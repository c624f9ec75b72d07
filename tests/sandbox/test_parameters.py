"""Parameters as the proxy's MI core takes them (mi/mi.c, mi/item.c)."""

import pytest

from efcp.sandbox.jsonrpc import MiRefusalError, integer, match, read_integer, text, texts, yes_or_no

DS_LIST = ((), ("partition",), ("full",), ("full", "partition"))
SET_STATE = (("state", "group", "address"),)


@pytest.mark.parametrize("none", [None, {}, []])
def test_no_parameters_fit_the_recipe_without_any(none: dict[str, object] | list[object] | None) -> None:
    assert match(DS_LIST, none) == {}


def test_positions_take_the_names_of_the_recipe() -> None:
    assert match(SET_STATE, ["i", "1", "sip:a"]) == {"state": "i", "group": "1", "address": "sip:a"}


@pytest.mark.parametrize(
    ("recipes", "given", "reason"),
    [
        (SET_STATE, None, "Too few or too many parameters"),
        (SET_STATE, ["i"], "Too few or too many parameters"),
        (SET_STATE, {"state": "i", "group": "1"}, "Too few or too many parameters"),
        (DS_LIST, ["full"], "Ambiguous call, use named parameters instead"),
        (DS_LIST, {"foo": 1}, "Named parameters do not match"),
        (DS_LIST, {"full": 1, "foo": 1}, "Named parameters do not match"),
    ],
)
def test_what_fits_no_recipe_is_refused_with_the_proxy_s_reason(
    recipes: tuple[tuple[str, ...], ...], given: dict[str, object] | list[object] | None, reason: str
) -> None:
    with pytest.raises(MiRefusalError) as refused:
        match(recipes, given)
    assert refused.value.as_object() == {"code": -32602, "message": "Invalid params", "data": reason}


@pytest.mark.parametrize(("value", "read"), [("1", "1"), (1, "1"), (1.9, "1"), (-5, "-5"), ("", "")])
def test_a_number_counts_as_text_by_its_digits(value: object, read: str) -> None:
    assert text({"group": value}, "group") == read


@pytest.mark.parametrize(
    ("value", "read"), [(6001, 6001), ("6001", 6001), ("-1", -1), ("+7", 7), ("-", 0), (1e300, 2147483647)]
)
def test_digits_count_as_a_number(value: object, read: int) -> None:
    assert integer({"port": value}, "port") == read


@pytest.mark.parametrize("value", [True, None, [], {}, "6001x", "", " 1", "1_000", "٣"])
def test_what_is_no_number_has_a_bad_type(value: object) -> None:
    with pytest.raises(MiRefusalError, match="Invalid params") as refused:
        integer({"port": value}, "port")
    assert refused.value.data == "Bad type for parameter 'port'"


@pytest.mark.parametrize("value", [True, None, [], {}])
def test_what_is_neither_number_nor_text_has_a_bad_type(value: object) -> None:
    with pytest.raises(MiRefusalError) as refused:
        text({"group": value}, "group")
    assert refused.value.data == "Bad type for parameter 'group'"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        *(("n", False), ("N", False), ("0", False), (0, False)),
        *(("y", True), ("Y", True), (1, True)),
        *(("zzz", True), ("no", True), ("false", True), (None, True), (False, True), ("", True)),
    ],
)
def test_only_one_letter_or_digit_means_yes_or_no(value: object, read: bool) -> None:
    assert yes_or_no({"inherit_state": value}, "inherit_state", default=True) is read


@pytest.mark.parametrize(
    ("digits", "number"), [("4294967295", -1), ("2147483648", -2147483648), ("9" * 5000, None)]
)
def test_numbers_wrap_around_at_32_bits(digits: str, number: int | None) -> None:
    read = read_integer(digits)
    assert read is not None
    assert -(1 << 31) <= read < 1 << 31
    assert number in {None, read}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("core:", "Bad type for parameter 'statistics'"),
        ([], "Empty array in parameter 'statistics'"),
        ([{}], "Bad type for array item in parameter 'statistics'"),
    ],
)
def test_a_list_of_texts_is_neither_empty_nor_anything_else(value: object, reason: str) -> None:
    with pytest.raises(MiRefusalError) as refused:
        texts({"statistics": value}, "statistics")
    assert refused.value.data == reason
