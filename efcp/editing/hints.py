"""What a text in one column looks like that belongs into another."""

import re
from collections.abc import Iterable


def column_named_in(attributes: str, columns: Iterable[str]) -> str | None:
    """The column that attributes set by its name, as in `weight=50`; None where they name none.

    OpenSIPS gives a meaning to attributes nowhere: only a script reads them.
    """
    names = "|".join(map(re.escape, columns))
    found = re.search(rf"(?:^|[;,&\s])({names})\s*=", attributes, re.IGNORECASE)
    return found[1].lower() if found else None
