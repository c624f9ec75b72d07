"""Which set a rule's attributes name, where they do. Pure.

OpenSIPS gives a meaning to attributes nowhere: a script reads them. Common are `set=5`, `setid:5`, or the
bare number; what names two sets names none.
"""

import re

_NAMED = re.compile(
    r"(?:^|[;,&|\s])(?:ds_?)?set_?(?:id)?\s*[=:]\s*([0-9]{1,10})(?=$|[;,&|\s])", re.IGNORECASE
)
_BARE = re.compile(r"\s*([0-9]{1,10})\s*")
_LARGEST = 2**31 - 1


def set_named_by(attributes: str) -> int | None:
    """The set that these attributes name; None where they name none, or more than one."""
    bare = _BARE.fullmatch(attributes)
    named = {bare[1]} if bare else set(_NAMED.findall(attributes))
    numbers = {int(each) for each in named}
    number = numbers.pop() if len(numbers) == 1 else None
    return number if number is not None and number <= _LARGEST else None
