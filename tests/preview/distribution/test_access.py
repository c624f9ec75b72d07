"""Call logs and counts: who may see and change what."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from efcp.accounts.roles import Role
from efcp.jobs.models import JobOutcome, JobRun
from efcp.preview.distribution import services
from efcp.preview.models import CallLog
from tests.conftest import ClientAs

POSTS = (
    "preview:distribution-log-count",
    "preview:distribution-log-delete",
    "preview:distribution-count-cancel",
)
PAGES = ("preview:distribution-logs", "preview:distribution-log", "preview:distribution-count")


@pytest.fixture
def existing(client_as: ClientAs) -> dict[str, int]:
    """Return the id of something for each page that needs one."""
    log = CallLog.objects.create(
        name="calls.csv",
        token="t",
        size=1,
        format="csv",
        columns=["a"],
        first_rows=[],
        uploaded_at=timezone.now(),
    )
    job = JobRun.objects.create(
        kind=services.KIND, title="a count", actor="anna", requested_at=timezone.now()
    )
    return {"log": log.pk, "count": job.pk}


def url_of(name: str, existing: dict[str, int]) -> str:
    if name == "preview:distribution-logs":
        return reverse(name)
    return reverse(name, args=[existing["count" if name.startswith("preview:distribution-count") else "log"]])


@pytest.mark.parametrize("name", POSTS)
@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_only_operators_change_anything(
    client_as: ClientAs, existing: dict[str, int], name: str, role: Role | None
) -> None:
    status = client_as(role).post(url_of(name, existing)).status_code
    if role is None:
        assert status == 302
    elif role is Role.VIEWER:
        assert status == 403
    else:
        assert status in {302, 422}
    untouched = CallLog.objects.exists() and JobRun.objects.filter(outcome=JobOutcome.WAITING).exists()
    assert untouched or role in {Role.OPERATOR, Role.ADMINISTRATOR}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_whoever_may_view_sees_logs_and_counts(
    client_as: ClientAs, existing: dict[str, int], name: str, role: Role | None
) -> None:
    assert client_as(role).get(url_of(name, existing)).status_code == (302 if role is None else 200)


@pytest.mark.parametrize("name", [*POSTS, "preview:distribution-upload"])
def test_nothing_changes_by_a_get(client_as: ClientAs, existing: dict[str, int], name: str) -> None:
    url = reverse(name) if name == "preview:distribution-upload" else url_of(name, existing)
    assert client_as(Role.ADMINISTRATOR).get(url).status_code == 405


@pytest.mark.parametrize("name", POSTS)
def test_a_post_without_a_token_is_refused(client_as: ClientAs, existing: dict[str, int], name: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client_as(Role.ADMINISTRATOR).cookies
    assert strict.post(url_of(name, existing)).status_code == 403


def test_jobs_of_other_kinds_are_not_shown_as_counts(client_as: ClientAs) -> None:
    job = JobRun.objects.create(kind="other", title="x", actor="anna", requested_at=timezone.now())
    assert client_as(Role.VIEWER).get(reverse("preview:distribution-count", args=[job.pk])).status_code == 404
