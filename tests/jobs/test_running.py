"""Jobs in processes of their own: progress, cancelling, limits and outcomes."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from efcp.jobs import job_types
from efcp.jobs import running as jobs
from efcp.jobs.cleanup import prune_job_runs
from efcp.jobs.job_types import CancelledError, JobLimits, JobType, OrphanedError, Progress
from efcp.jobs.models import SILENT_FOR, JobOutcome, JobRun
from efcp.jobs.running import execute, run_job
from tests.database.conftest import KEY, mysql_url
from tests.jobs.playing.works import LIMITS, WORKS
from tests.launch.panel import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]

WITHIN_S = 120.0


@pytest.fixture(autouse=True)
def _playing_kinds() -> Iterator[None]:
    """Register the tests' kinds in this process; take them back after."""
    kept = dict(job_types._job_types)
    for work in WORKS:
        job_types.register(JobType(work.__name__, work, LIMITS))
    yield
    job_types._job_types.clear()
    job_types._job_types.update(kept)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., JobRun]:
    """Return a function that runs a job of a kind as the worker does, its process on this test's database."""
    own = connection.settings_dict
    sqlite = f"sqlite:///{own['NAME']}"
    url = sqlite if connection.vendor == "sqlite" else mysql_url(own["NAME"], own["USER"], own["PASSWORD"])
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("EFCP_SECRET_KEY", KEY)
    monkeypatch.setenv("EFCP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.jobs.child_settings")

    def run_kind(kind: str, **arguments: int) -> JobRun:
        job = ask(kind, **arguments)
        run_job.func(job.pk)
        job.refresh_from_db()
        return job

    return run_kind


def ask(kind: str = "count", **arguments: int) -> JobRun:
    return jobs.start(kind, "a title", "anna", arguments)


def running(**values: object) -> JobRun:
    now = timezone.now()
    described = {"kind": "count", "outcome": JobOutcome.RUNNING, "started_at": now, "beat_at": now} | values
    return JobRun.objects.create(title="a title", actor="anna", requested_at=now, **described)


def test_a_requested_job_is_in_the_queue() -> None:
    ask()
    assert [task.task_path for task in DBTaskResult.objects.all()] == [run_job.module_path]


def test_a_job_ends_with_its_result(run: Callable[..., JobRun]) -> None:
    job = run("count", to=5)
    assert (job.outcome, job.result, job.message) == (JobOutcome.DONE, {"counted": 5}, "")
    assert (job.total, job.unit) == (5, "numbers")
    assert job.ended_at is not None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("refuse", "There is nothing to count."),
        ("eat", "It probably exceeded the memory limit of 400 MB."),
        ("crash", "Its process was killed. It probably exceeded the memory limit of 400 MB"),
        ("break_down", "Its process failed (exit status 1); see the panel's log."),
    ],
)
def test_a_job_that_fails_shows_why(run: Callable[..., JobRun], kind: str, expected: str) -> None:
    job = run(kind)
    assert job.outcome == JobOutcome.FAILED
    assert job.message.startswith(expected)


def test_a_job_that_takes_too_long_is_ended(run: Callable[..., JobRun]) -> None:
    short = JobLimits(memory=LIMITS.memory, time=timedelta(seconds=0.5))
    job_types.register(JobType("hang", job_types.job_type_named("hang").work, short))
    job = run("hang")
    assert job.outcome == JobOutcome.FAILED
    assert job.message.startswith("Stopped: exceeded the time limit")


@pytest.mark.parametrize("kind", ["go_on", "hang"])
def test_a_running_job_is_cancelled_whether_it_listens_or_not(
    run: Callable[..., JobRun], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("efcp.jobs.running.CANCELS_WITHIN_S", 0.5 if kind == "hang" else WITHIN_S)

    def cancel_once_it_runs() -> None:
        try:
            assert until(lambda: JobRun.objects.filter(outcome=JobOutcome.RUNNING).exists(), WITHIN_S)
            jobs.cancel(JobRun.objects.get())
        finally:
            connection.close()

    somebody = threading.Thread(target=cancel_once_it_runs)
    somebody.start()
    job = run(kind)
    somebody.join()
    assert (job.outcome, job.result) == (JobOutcome.CANCELLED, None)


WORKER = """
import os, subprocess, sys
command = [sys.executable, "manage.py", "run_job", sys.argv[1], str(os.getpid())]
child = subprocess.Popen(command, start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize("kind", ["go_on", "hang"])
@pytest.mark.usefixtures("run")
def test_no_job_outlives_its_worker(kind: str) -> None:
    job = running(kind=kind)
    with subprocess.Popen([sys.executable, "-c", WORKER, str(job.pk)], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        child = Path("/proc", worker.stdout.readline().decode().strip(), "stat")
        try:
            assert until(lambda: child.read_text().split()[2] == "S", WITHIN_S)
        finally:
            worker.kill()
    assert until(lambda: not child.exists() or child.read_text().split()[2] == "Z", WITHIN_S)


def test_a_waiting_job_that_is_cancelled_never_starts(run: Callable[..., JobRun]) -> None:
    job = ask()
    assert jobs.cancel(job)
    run_job.func(job.pk)
    job.refresh_from_db()
    assert (job.outcome, job.started_at) == (JobOutcome.CANCELLED, None)


def test_a_job_that_has_its_end_cannot_be_cancelled() -> None:
    job = running(outcome=JobOutcome.DONE)
    assert not jobs.cancel(job)
    job.refresh_from_db()
    assert job.outcome == JobOutcome.DONE


def test_a_job_whose_worker_is_gone_counts_as_abandoned_and_can_be_cancelled() -> None:
    job = running(beat_at=timezone.now() - 2 * SILENT_FOR)
    assert job.is_abandoned(timezone.now())
    assert jobs.cancel(job)
    job.refresh_from_db()
    assert job.outcome == JobOutcome.CANCELLED


def test_a_job_runs_once_though_the_queue_has_it_twice(run: Callable[..., JobRun]) -> None:
    job = running()
    run_job.func(job.pk)
    job.refresh_from_db()
    assert job.outcome == JobOutcome.RUNNING


def test_progress_is_reported_in_parts_of_the_whole() -> None:
    job = running()
    progress = Progress(job.pk, every_s=0)
    progress.expect(200, "rows")
    progress.report(50, note="3 broken")
    job.refresh_from_db()
    assert (job.progress, job.percent, job.unit, job.note) == (50, 25, "rows", "3 broken")


def test_a_report_of_a_cancelled_job_ends_it() -> None:
    job = running(cancel_requested=True)
    with pytest.raises(CancelledError):
        Progress(job.pk, every_s=0).report(1)


def test_a_report_without_a_worker_ends_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress(running().pk, every_s=0)
    monkeypatch.setattr("os.getppid", lambda: 1)
    with pytest.raises(OrphanedError):
        progress.report(1)


def test_a_job_that_was_cancelled_meanwhile_keeps_that_end() -> None:
    job = running(outcome=JobOutcome.CANCELLED)
    JobRun.objects.filter(pk=job.pk).update(arguments={"to": 1})
    execute(job.pk)
    job.refresh_from_db()
    assert (job.outcome, job.result) == (JobOutcome.CANCELLED, None)


def test_results_are_kept_for_a_week() -> None:
    now = timezone.now()
    for days in (6, 8):
        running(outcome=JobOutcome.DONE)
        JobRun.objects.filter(pk=JobRun.objects.latest("pk").pk).update(
            requested_at=now - timedelta(days=days)
        )
    assert prune_job_runs(now) == 1
    assert JobRun.objects.get().requested_at > now - timedelta(days=7)
