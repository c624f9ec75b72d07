"""Following a number: translation, lead, set, destination. Each dead end is told where it is."""

from dataclasses import dataclass

from dialplan.selectors import TooManyRulesError
from dialplan.trying import Tried, try_input
from efcp.preview.routes.selectors import Leading, leading_of


@dataclass(frozen=True, slots=True)
class Trace:
    """What a number becomes and where that leads; `problem` says where it ends before a set is known."""

    tried: Tried
    leading: Leading | None = None
    problem: str = ""


def follow(dpid: int, number: str) -> Trace:
    """Translate `number` by the table as it is, and find the set that it leads to."""
    try:
        tried = try_input(dpid, number)
    except TooManyRulesError as error:
        return Trace(Tried(number, str(error), is_certain=False), problem=str(error))
    if tried.output is None:
        return Trace(tried, problem=f"It ends here: {tried.words}")
    leading = leading_of(dpid, tried.attributes)
    if leading is None:
        named = f"the attributes “{tried.attributes}”" if tried.attributes else "no attributes"
        return Trace(
            tried, problem=f"It is not known where dialplan {dpid} leads with {named}: tell it above."
        )
    return Trace(tried, leading)
