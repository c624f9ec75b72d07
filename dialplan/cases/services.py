"""Saving and deleting cases, each with its audit record."""

from django.db import transaction

from dialplan.models import SavedCase, key_of
from efcp.audit.services import Actor, Subject, record
from efcp.editing.guarded import serialized_writes

MAX_CASES = 50
"""Of one dialplan: all of them are run at each edit, against all its rules."""


class TooManyCasesError(Exception):
    """The dialplan has MAX_CASES already."""


def save(dpid: int, text: str, expected: str | None, actor: Actor) -> SavedCase:
    """Save what must come of `text`, None for nothing; a case of that input is changed.

    Raises TooManyCasesError.
    """
    with serialized_writes("efcp_dialplan_case"):
        of_dialplan = SavedCase.objects.select_for_update().filter(dpid=dpid)
        case = of_dialplan.filter(input_key=key_of(text)).first()
        if case is None and of_dialplan.count() >= MAX_CASES:
            raise TooManyCasesError(f"A dialplan has at most {MAX_CASES} test cases.")
        before = None if case is None else {"expected": case.expected}
        case = case or SavedCase(dpid=dpid, input=text)
        case.expected = expected
        case.save()
        record(
            actor, "edit" if before else "add", _subject(case), before=before, after={"expected": expected}
        )
    return case


def delete(case: SavedCase, actor: Actor) -> None:
    """Delete a case."""
    with transaction.atomic():
        record(actor, "delete", _subject(case), before={"expected": case.expected})
        case.delete()


def _subject(case: SavedCase) -> Subject:
    return Subject("dialplan test case", f"{case.dpid}", f"{case.input} in dialplan {case.dpid}")
