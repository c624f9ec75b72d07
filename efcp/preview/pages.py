"""What the preview pages share: the tabs, and the progress and cancelling of a job."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from efcp.audit.services import Subject, actor_of, record
from efcp.jobs import running as jobs
from efcp.jobs.models import JobRun

LOGS_SHOWN = 50

TABS = (
    ("preview:call", "Call"),
    ("preview:routes", "Trace a number"),
    ("preview:bulk-translation", "Bulk translation"),
    ("preview:distribution", "Distribution"),
    ("preview:algorithms", "Algorithms"),
    ("preview:outage", "Outage"),
)


def preview_tabs(request: HttpRequest) -> dict[str, object]:
    """Context processor `preview_tabs`: URL name and label of each tab, and whether the page is under it."""
    shown = request.resolver_match.view_name if request.resolver_match else ""
    tabs = [(name, label, shown == name or shown.startswith(f"{name}-")) for name, label in TABS]
    return {"preview_tabs": tabs}


def show_job(request: HttpRequest, job: JobRun, template: str, context: dict[str, object]) -> HttpResponse:
    """The page of a job; only its partial `run` where htmx polls a running one."""
    status = {"job": job, "is_abandoned": job.is_abandoned(timezone.now())}
    fragment = "#run" if request.headers.get("HX-Target") == "run" else ""
    return render(request, f"{template}{fragment}", status | context)


def cancel_job(request: HttpRequest, job: JobRun) -> None:
    """Cancel a job, with its audit record; show a message where it has already ended."""
    with transaction.atomic():
        is_cancelled = jobs.cancel(job)
        if is_cancelled:
            record(actor_of(request), "cancel", Subject("job", str(job.pk), job.title))
    if not is_cancelled:
        messages.info(request, "It has already finished.")
