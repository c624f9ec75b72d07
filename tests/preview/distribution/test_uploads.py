"""Call logs: uploading and deleting them, and everything that is no log."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadhandler import StopUpload
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from efcp.accounts.roles import Role
from efcp.jobs.uploads import FileToDiskHandler
from efcp.preview.distribution import services
from efcp.preview.models import CallLog
from tests.conftest import ClientAs
from tests.preview.distribution.logs import CSV, send, uploaded


def test_an_upload_lies_under_a_name_of_its_own_and_shows_its_first_rows(
    client_as: ClientAs, uploads: Path
) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client, name="../../etc/passwd")
    assert log.name == "passwd"
    assert [path.name for path in uploads.iterdir()] == [log.token]
    assert log.path.read_bytes() == CSV
    assert log.path.stat().st_mode & 0o777 == 0o600
    text = client.get(reverse("preview:distribution-log", args=[log.pk])).content.decode()
    assert "b2@x" in text
    assert "first line is a header" in text


def test_the_columns_are_guessed_by_their_names(client_as: ClientAs) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client)
    form = client.get(reverse("preview:distribution-log", args=[log.pk])).context["form"]
    assert (form["call_id"].value(), form["from_uri"].value(), form["to_uri"].value()) == ("0", "1", None)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "The file is empty."),
        (b" \n\n", "The file is empty."),
        (b"\x1f\x8b\x08\x00rest", "compressed (gzip): unpack it first"),
        (b"PK\x03\x04rest", "a ZIP archive or spreadsheet"),
        (b"\x7fELF\x02\x01\x01\x00", "binary data"),
        ("call_id,from\n".encode("utf-16"), "UTF-16 text: save it as UTF-8 first"),
        (b"PAR1 and no more", "The Parquet file"),
        (b"a" * 70_000, "The first line is longer than 64 KB"),
        (b"a," * 600 + b"\n", "601 columns; the limit is 500."),
    ],
)
def test_what_is_no_log_is_refused_and_not_kept(
    client_as: ClientAs, uploads: Path, content: bytes, expected: str
) -> None:
    response = send(client_as(Role.OPERATOR), content)
    assert response.status_code == 422
    assert expected in response.content.decode()
    assert list(uploads.iterdir()) == []
    assert not CallLog.objects.exists()


def test_a_form_without_a_file_is_reported(client_as: ClientAs) -> None:
    response = client_as(Role.OPERATOR).post(reverse("preview:distribution-upload"), {"other": "x"})
    assert "Choose a file." in response.content.decode()


def test_what_is_larger_than_permitted_is_refused_unread(
    client_as: ClientAs, settings: Settings, uploads: Path
) -> None:
    settings.UPLOAD_MAX = 1_000_000
    response = send(client_as(Role.OPERATOR), b"x" * 1_000_001)
    assert response.status_code == 413
    assert "exceeds the upload limit of 1 MB (EFCP_UPLOAD_MAX)" in response.content.decode()
    assert not uploads.exists()


def test_a_disk_without_room_is_reported(client_as: ClientAs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("efcp.jobs.uploads.KEPT_FREE", 10**18)
    response = send(client_as(Role.OPERATOR), CSV)
    assert response.status_code == 413
    assert "Not enough disk space" in response.content.decode()


def receiving(uploads: Path) -> FileToDiskHandler:
    """A handler that has got some of a file."""
    uploads.mkdir()
    handler = FileToDiskHandler(HttpRequest(), "log")
    handler.new_file("log", "calls.csv", "text/csv", None)
    handler.receive_data_chunk(CSV, 0)
    return handler


def test_an_upload_that_breaks_off_leaves_nothing(uploads: Path) -> None:
    handler = receiving(uploads)
    assert len(list(uploads.iterdir())) == 1
    handler.discard()
    assert list(uploads.iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_is_reported(uploads: Path) -> None:
    handler = receiving(uploads)
    assert handler._file is not None
    handler._file.close()
    with Path("/dev/full").open("wb", buffering=0) as full:
        handler._file = full
        with pytest.raises(StopUpload):
            handler.receive_data_chunk(CSV, len(CSV))
        assert handler.problem == "The file could not be stored: No space left on device."
    assert handler.file_complete(2 * len(CSV)) is None
    handler.discard()


def test_without_the_library_the_pages_say_so(client_as: ClientAs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("efcp.preview.distribution.views.can_read_logs", lambda: False)
    client = client_as(Role.OPERATOR)
    shown = client.get(reverse("preview:distribution-logs")).content.decode()
    assert "can&#x27;t read logs" in shown or "requires an optional package" in shown
    assert '<input type="file"' not in shown
    assert send(client, CSV).status_code == 413


def test_an_upload_without_a_token_is_refused_and_not_kept(client_as: ClientAs, uploads: Path) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client_as(Role.OPERATOR).cookies
    assert send(strict, CSV).status_code == 403
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize("role", [None, Role.VIEWER], ids=str)
def test_only_operators_upload_and_nobody_else_s_body_is_stored(
    client_as: ClientAs, uploads: Path, role: Role | None
) -> None:
    assert send(client_as(role), CSV).status_code == (302 if role is None else 403)
    assert not uploads.exists()
    assert not CallLog.objects.exists()


def test_deleting_a_log_deletes_its_file(client_as: ClientAs, uploads: Path) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client)
    client.post(reverse("preview:distribution-log-delete", args=[log.pk]))
    assert list(uploads.iterdir()) == []
    assert not CallLog.objects.exists()


def test_old_logs_and_strays_are_deleted_and_young_ones_kept(client_as: ClientAs, uploads: Path) -> None:
    client = client_as(Role.OPERATOR)
    old, young = uploaded(client), uploaded(client)
    now = timezone.now()
    CallLog.objects.filter(pk=old.pk).update(uploaded_at=now - timedelta(days=8))
    (uploads / "under-way").write_bytes(b"x")
    assert services.delete_old(now) == 1
    assert {path.name for path in uploads.iterdir()} == {young.token, "under-way"}
    assert services.delete_old(now + timedelta(days=2)) == 1
    assert {path.name for path in uploads.iterdir()} == {young.token}
