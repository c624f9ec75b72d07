"""Calls made up for a spread: the same seed gives the same calls."""

import numpy as np
from numpy.typing import NDArray

from dispatcher.routing.replay import Calls, Keys
from dispatcher.routing.selection import SelectFlag
from efcp.preview.spread.fields import FIELD_OF, URIS, Field
from efcp.preview.spread.question import Question

_DOMAIN = b"example.org"
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_DIGITS = _HEX[:10]
_CALL_ID_LETTERS = 16
_NUMBER_DIGITS = 7


def generated_calls(question: Question, count: int, seed: int) -> Calls:
    """The keys of `count` calls, as far as the algorithm hashes them.

    Call-IDs are 64 random bits in hexadecimal, callers and callees random numbers of seven digits in the
    domain example.org; the caller is auth user and custom key as well. For algorithm 6 the keys are random
    numbers too.
    """
    dice = np.random.default_rng(seed)
    field = FIELD_OF.get(question.algorithm, Field.CALL_ID)
    if field is Field.CALL_ID:
        return Calls(_drawn(dice, count, _HEX, _CALL_ID_LETTERS, after=b"@" + _DOMAIN))
    area = b"+4930" if field not in {Field.TO_URI, Field.REQUEST_URI} else b"+4989"
    numbers = _drawn(dice, count, _DIGITS, _NUMBER_DIGITS, before=area)
    if field not in URIS:
        return Calls(numbers)
    host = b"" if SelectFlag.USER_ONLY in question.flags else _DOMAIN
    return Calls(numbers, _drawn(dice, count, _DIGITS, 0, before=host))


def _drawn(
    dice: np.random.Generator,
    count: int,
    letters: NDArray[np.uint8],
    length: int,
    before: bytes = b"",
    after: bytes = b"",
) -> Keys:
    """Keys of `length` random letters each, between the same texts."""
    width = len(before) + length + len(after)
    rows = np.empty((count, width), np.uint8)
    rows[:, : len(before)] = np.frombuffer(before, np.uint8)
    rows[:, len(before) : len(before) + length] = letters[dice.integers(0, len(letters), (count, length))]
    rows[:, len(before) + length :] = np.frombuffer(after, np.uint8)
    return Keys(rows.reshape(-1), np.arange(count + 1, dtype=np.int64) * width)
