"""What a spread asks: the arguments of ds_select_dst that all its calls share."""

from dataclasses import dataclass

from dispatcher.routing.selection import Algorithm, SelectFlag
from efcp.preview.spread.edits import UnsavedEdit

ALGORITHMS = {
    Algorithm.CALL_ID: "0 · hash of the Call-ID",
    Algorithm.FROM_URI: "1 · hash of the From URI",
    Algorithm.TO_URI: "2 · hash of the To URI",
    Algorithm.REQUEST_URI: "3 · hash of the request URI",
    Algorithm.ROUND_ROBIN: "4 · round robin",
    Algorithm.AUTH_USER: "5 · hash of the auth user, else the last used",
    Algorithm.RANDOM: "6 · random",
    Algorithm.HASH_VARIABLE: "7 · hash of the variable in hash_pvar",
    Algorithm.FIRST: "8 · the first entry",
}
"""With the labels of a form. 9 and 10 go by values of the running proxy, which no log of calls holds."""

WEIGHTED_BY_HASH = frozenset(ALGORITHMS) - {Algorithm.ROUND_ROBIN, Algorithm.FIRST}


@dataclass(frozen=True, slots=True)
class Question:
    """The set, the algorithm and the flags; `edit` is a change of the table that is counted beside it."""

    setid: int
    algorithm: Algorithm
    flags: SelectFlag = SelectFlag.NONE
    edit: UnsavedEdit | None = None
