"""Asking for the numbers of a log to be translated."""

from django.db import transaction
from django.utils import timezone

from efcp.audit.services import Actor, Subject, record
from efcp.jobs import services as jobs
from efcp.jobs.models import JobRun
from efcp.preview.models import CallLog
from efcp.preview.numbers.work import KIND


def translate(log: CallLog, dpid: int, column: int, actor: Actor, *, has_header: bool) -> JobRun:
    """Have the numbers in a column translated; recurrences are checked at the time of asking."""
    arguments = {
        "log": log.pk,
        "dpid": dpid,
        "column": column,
        "has_header": has_header,
        "now": int(timezone.now().timestamp()),
    }
    with transaction.atomic():
        job = jobs.start(KIND, f"{log.name} through dialplan {dpid}", actor.name, arguments)
        record(actor, "translate", Subject("call log", str(log.pk), log.name), after={"dialplan": dpid})
    return job
