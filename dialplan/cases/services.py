"""Saving and deleting cases, each with its audit record."""

from dialplan.models import SavedCase, key_of
from efcp.audit.edit_tokens import require_current
from efcp.audit.services import Actor, Subject, record
from efcp.editing.repository import serialized_writes

MAX_CASES = 50
"""Of one dialplan: all of them are run at each edit, against all its rules."""


class TooManyCasesError(Exception):
    """The dialplan has MAX_CASES already."""


def save(dpid: int, text: str, expected: str | None, actor: Actor, original: str | None = None) -> SavedCase:
    """Save what must come of `text`, None for nothing; a case of that input is changed.

    `original` is the edit token of that case, empty where the form showed none. Raises TooManyCasesError or
    StaleFormError.
    """
    with serialized_writes("efcp_dialplan_case"):
        of_dialplan = SavedCase.objects.select_for_update().filter(dpid=dpid)
        case = of_dialplan.filter(input_key=key_of(text)).first()
        if case is None and of_dialplan.count() >= MAX_CASES:
            raise TooManyCasesError(f"A dialplan can have at most {MAX_CASES} test cases.")
        if case is not None and case.expected != expected:
            require_current(original, case, _subject(case))
        before = None if case is None else {"expected": case.expected}
        case = case or SavedCase(dpid=dpid, input=text)
        case.expected = expected
        case.save()
        record(
            actor, "edit" if before else "add", _subject(case), before=before, after={"expected": expected}
        )
    return case


def delete(case: SavedCase, actor: Actor, original: str | None = None) -> None:
    """Delete a case. `original` is the form's edit token. Raises StaleFormError."""
    with serialized_writes("efcp_dialplan_case"):
        require_current(original, SavedCase.objects.filter(pk=case.pk).first() or SavedCase(), _subject(case))
        record(actor, "delete", _subject(case), before={"expected": case.expected})
        case.delete()


def _subject(case: SavedCase) -> Subject:
    return Subject("dialplan test case", f"{case.dpid}", f"{case.input} in dialplan {case.dpid}")
