"""Reading the saved cases."""

from dialplan.models import SavedCase, key_of

MAX_ALL = 1_000
"""Cases of all dialplans that are run at once."""


def cases_of(dpid: int) -> tuple[SavedCase, ...]:
    """The cases of a dialplan, in the order in which they were saved."""
    return tuple(SavedCase.objects.filter(dpid=dpid)[:MAX_ALL])


def all_cases() -> tuple[SavedCase, ...]:
    """The cases of all dialplans, by dialplan; the first MAX_ALL."""
    return tuple(SavedCase.objects.all()[:MAX_ALL])


def case_of(dpid: int, text: str) -> SavedCase | None:
    """The case of an input, if one is saved."""
    return SavedCase.objects.filter(dpid=dpid, input_key=key_of(text)).first()
