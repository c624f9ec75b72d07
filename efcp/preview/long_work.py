"""What the pages of long work share: how far a job is, and cancelling it."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from efcp.audit.services import Subject, actor_of, record
from efcp.jobs import services as jobs
from efcp.jobs.models import JobRun


def show(request: HttpRequest, job: JobRun, template: str, context: dict[str, object]) -> HttpResponse:
    """The page of a job; its partial `run` alone where htmx asks for that while it is under way."""
    known = {"job": job, "is_abandoned": job.is_abandoned(timezone.now())}
    fragment = "#run" if request.headers.get("HX-Target") == "run" else ""
    return render(request, f"{template}{fragment}", known | context)


def cancel(request: HttpRequest, job: JobRun) -> None:
    """Cancel a job, with its audit record; say so where it has its end already."""
    with transaction.atomic():
        is_cancelled = jobs.cancel(job)
        if is_cancelled:
            record(actor_of(request), "cancel", Subject("job", str(job.pk), job.title))
    if not is_cancelled:
        messages.info(request, "It had its end already.")
