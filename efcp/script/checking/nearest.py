"""What was likely meant by a name that nobody knows."""

from collections.abc import Collection
from difflib import get_close_matches

MAXIMUM_SUGGESTIONS = 20
"""How many names of one script are compared: each is held against all that are known."""

_LONGEST_NAME = 40
_LENGTHS_APART = 3


def likely(name: str, known: Collection[str], asked: int = 0) -> str:
    """The known name that is nearest, as an end to a sentence: " Did you mean tm?"; "" where none is near.

    `asked` is how many names were compared before this one.
    """
    if asked >= MAXIMUM_SUGGESTIONS or len(name) > _LONGEST_NAME:
        return ""
    similar = sorted(each for each in known if abs(len(each) - len(name)) <= _LENGTHS_APART)
    found = get_close_matches(name, similar, n=1, cutoff=0.7)
    return f" Did you mean {found[0]}?" if found else ""
