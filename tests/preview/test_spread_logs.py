"""Call logs: uploading them, choosing columns, counting them as jobs, and everything that is no log."""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import StopUpload
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pyarrow import parquet
from pytest_django.fixtures import Settings

from dispatcher.routing.requests import Request
from dispatcher.routing.selecting import SelectOptions
from dispatcher.routing.selection import Selection
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.jobs.models import JobRun, Outcome
from efcp.jobs.running import work_off
from efcp.preview.models import CallLog
from efcp.preview.sources import Source, Which, set_preview
from efcp.preview.spread import services
from efcp.preview.spread.bars import Counted, Refused
from efcp.preview.spread.uploading import LogUploadHandler
from tests.dispatcher.conftest import add_row as add_row

ClientAs = Callable[[Role | None], Client]
AddRow = Callable[..., int]

CSV = b"call_id,from,start\na1@x,sip:anna@example.org,10:00\nb2@x,sip:bob@example.org,10:01\n"


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Path) -> Path:
    """Return the folder of uploads."""
    settings.UPLOAD_DIR = tmp_path / "uploads"
    return tmp_path / "uploads"


def send(client: Client, content: bytes, name: str = "calls.csv") -> HttpResponse:
    return client.post(reverse("preview:spread-upload"), {"log": SimpleUploadedFile(name, content)})  # type: ignore[return-value]


def uploaded(client: Client, content: bytes = CSV, name: str = "calls.csv") -> CallLog:
    response = send(client, content, name)
    assert response.status_code == 302, response.content.decode()
    return CallLog.objects.latest("pk")


def counted(client: Client, log: CallLog, **question: Any) -> JobRun:
    """The count of a log, done as its process does it."""
    asked: dict[str, Any] = {
        "setid": 1,
        "algorithm": 0,
        "source": "table",
        "call_id": 0,
        "has_header": "on",
    } | question
    response = client.post(reverse("preview:spread-log-count", args=[log.pk]), asked)
    assert response.status_code == 302, response.content.decode()
    job = JobRun.objects.latest("pk")
    JobRun.objects.filter(pk=job.pk).update(outcome=Outcome.RUNNING)
    work_off(job.pk)
    job.refresh_from_db()
    return job


def as_parquet(**columns: Sequence[Any]) -> bytes:
    written = io.BytesIO()
    parquet.write_table(pa.table(dict(columns)), written)
    return written.getvalue()


def test_an_upload_lies_under_a_name_of_its_own_and_shows_its_first_rows(
    client_as: ClientAs, uploads: Path
) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client, name="../../etc/passwd")
    assert log.name == "passwd"
    assert [path.name for path in uploads.iterdir()] == [log.token]
    assert log.path.read_bytes() == CSV
    assert log.path.stat().st_mode & 0o777 == 0o600
    text = client.get(reverse("preview:spread-log", args=[log.pk])).content.decode()
    assert "b2@x" in text
    assert "the first line is taken as names" in text


def test_the_columns_are_guessed_by_their_names(client_as: ClientAs) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client)
    form = client.get(reverse("preview:spread-log", args=[log.pk])).context["form"]
    assert (form["call_id"].value(), form["from_uri"].value(), form["to_uri"].value()) == ("0", "1", None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty."),
        (b" \n\n", "The file is empty."),
        (b"\x1f\x8b\x08\x00rest", "compressed by gzip: unpack it first"),
        (b"PK\x03\x04rest", "a ZIP archive or a spreadsheet"),
        (b"\x7fELF\x02\x01\x01\x00", "it is binary"),
        ("call_id,from\n".encode("utf-16"), "UTF-16 text: save it as UTF-8 first"),
        (b"PAR1 and no more", "It begins like a Parquet file, but"),
        (b"a" * 70_000, "The first line is longer than 64 KB"),
        (b"a," * 600 + b"\n", "It has 601 columns; at most 500 can be read."),
    ],
)
def test_what_is_no_log_is_told_so_and_not_kept(
    client_as: ClientAs, uploads: Path, content: bytes, says: str
) -> None:
    response = send(client_as(Role.OPERATOR), content)
    assert response.status_code == 422
    assert says in response.content.decode()
    assert list(uploads.iterdir()) == []
    assert not CallLog.objects.exists()


def test_a_form_without_a_file_is_told(client_as: ClientAs) -> None:
    response = client_as(Role.OPERATOR).post(reverse("preview:spread-upload"), {"other": "x"})
    assert "Choose a file." in response.content.decode()


def test_what_is_larger_than_permitted_is_refused_unread(
    client_as: ClientAs, settings: Settings, uploads: Path
) -> None:
    settings.UPLOAD_MAX = 1_000_000
    response = send(client_as(Role.OPERATOR), b"x" * 1_000_001)
    assert response.status_code == 413
    assert "larger than 1 MB, the most that may be uploaded (EFCP_UPLOAD_MAX)" in response.content.decode()
    assert not uploads.exists()


def test_a_disk_without_room_is_told(client_as: ClientAs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("efcp.preview.spread.uploading.KEPT_FREE", 10**18)
    response = send(client_as(Role.OPERATOR), CSV)
    assert response.status_code == 413
    assert "no room for this file" in response.content.decode()


def receiving(uploads: Path) -> LogUploadHandler:
    """A handler that has got some of a file."""
    uploads.mkdir()
    handler = LogUploadHandler(HttpRequest())
    handler.new_file("log", "calls.csv", "text/csv", None)
    handler.receive_data_chunk(CSV, 0)
    return handler


def test_an_upload_that_breaks_off_leaves_nothing(uploads: Path) -> None:
    handler = receiving(uploads)
    assert len(list(uploads.iterdir())) == 1
    handler.discard()
    assert list(uploads.iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_is_told(uploads: Path) -> None:
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
    monkeypatch.setattr("efcp.preview.spread.log_views.can_read_logs", lambda: False)
    client = client_as(Role.OPERATOR)
    shown = client.get(reverse("preview:spread-logs")).content.decode()
    assert "can&#x27;t read logs" in shown or "can't read logs" in shown
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


def test_a_csv_log_is_counted(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client))
    assert (job.outcome, job.message) == (Outcome.DONE, "")
    assert job.result is not None
    assert (job.result["rows"], job.result["broken"]["count"]) == (2, 0)
    text = client.get(reverse("preview:spread-count", args=[job.pk])).content.decode()
    assert "sip:10.0.0.1" in text
    assert "<b>2</b> calls" in text


@pytest.mark.parametrize(
    "calls",
    [
        ["a1@x", "b2@x"],
        pa.array(["a1@x", "b2@x"], pa.large_string()),
        pa.array([b"a1@x", b"b2@x"], pa.binary()),
        pa.array(["a1@x", "b2@x"]).dictionary_encode(),
        pa.array([1, 2]),
    ],
    ids=["string", "large", "binary", "dictionary", "number"],
)
def test_a_parquet_log_is_counted(client_as: ClientAs, add_row: AddRow, calls: Any) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client, as_parquet(call_id=calls), "calls.parquet"))
    assert (job.message, job.result and job.result["rows"]) == ("", 2)


def test_broken_rows_are_counted_shown_with_their_lines_and_left_out(
    client_as: ClientAs, add_row: AddRow
) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    content = b"call_id,from\na@x,1\n\nonly-one\nb@x,1\n,1\n1,2,3\n  ,2\nc@x,3\n"
    job = counted(client, uploaded(client, content))
    assert job.result is not None
    broken = job.result["broken"]
    assert (job.result["rows"], broken["count"]) == (3, 4)
    assert sorted((row["line"], row["why"]) for row in broken["first"]) == [
        (3, "1 column instead of 2"),
        (5, "no Call-ID"),
        (6, "3 columns instead of 2"),
        (7, "no Call-ID"),
    ]
    text = client.get(reverse("preview:spread-count", args=[job.pk])).content.decode()
    assert "<b>4</b> broken rows left out" in text
    assert "only-one" in text


def test_lines_that_an_open_quote_swallows_are_all_counted_as_broken(
    client_as: ClientAs, add_row: AddRow
) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client, b'call_id,from\na@x,1\n"b@x,1\nc@x,1\nd@x",1,1\ne@x,1\n'))
    assert job.result is not None
    assert (job.result["rows"], job.result["broken"]["count"]) == (2, 3)


def test_a_log_of_another_make_than_its_first_line_says_so(
    client_as: ClientAs, add_row: AddRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("efcp.preview.spread.reading.HOPELESS_AFTER", 100)
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client, b"call_id,from\n" + b"a;b;c\n" * 200))
    assert job.outcome == Outcome.FAILED
    assert "another number of columns than the first line" in job.message


def test_a_column_that_holds_no_texts_is_told(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client, as_parquet(call_id=[[1], [2]]), "calls.parquet"))
    assert job.outcome == Outcome.FAILED
    assert job.message.startswith("The column call_id holds list<")


def test_a_parquet_column_whose_name_another_has_too_is_told(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    written = io.BytesIO()
    calls = pa.array(["a", "b"])
    parquet.write_table(pa.Table.from_arrays([calls, calls], names=["id", "id"]), written)
    job = counted(client, uploaded(client, written.getvalue(), "calls.parquet"), call_id=1)
    assert job.message == "Several columns are called id, so that none can be chosen by it."


def test_a_parquet_file_that_is_cut_is_told(client_as: ClientAs, add_row: AddRow) -> None:
    client = client_as(Role.OPERATOR)
    whole = as_parquet(call_id=["a", "b"])
    response = send(client, whole[:-20], "calls.parquet")
    assert response.status_code == 422
    assert "begins like a Parquet file, but can&#x27;t be read" in response.content.decode()


def test_a_log_that_was_deleted_meanwhile_is_told(client_as: ClientAs) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client)
    log.path.unlink()
    assert counted(client, log).message == "The log was deleted."


@pytest.mark.parametrize(
    ("question", "field", "says"),
    [
        ({"call_id": ""}, "call_id", "Algorithm 0 goes by it: choose its column."),
        ({"algorithm": 1}, "from_uri", "Algorithm 1 goes by it"),
        ({"call_id": 99}, "call_id", "The log has no such column."),
        ({"algorithm": 77}, "algorithm", "There is no algorithm"),
        ({"source": "memory-9"}, "source", "is not there (any more)"),
    ],
)
def test_a_question_without_sense_begins_no_count(
    client_as: ClientAs, question: dict[str, Any], field: str, says: str
) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client)
    asked: dict[str, Any] = {"setid": 1, "algorithm": 0, "source": "table", "call_id": 0} | question
    response = client.post(reverse("preview:spread-log-count", args=[log.pk]), asked)
    assert response.status_code == 422
    assert says in " ".join(response.context["form"].errors[field])
    assert not JobRun.objects.exists()


def test_round_robin_needs_no_column(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client), algorithm=4, call_id="")
    assert job.result is not None
    assert job.result["rows"] == 2


def test_random_needs_no_column(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    add_row("sip:10.0.0.2")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client, b"call_id\n" + b"same\n" * 1000), algorithm=6, call_id="")
    assert job.result is not None
    first, second = Counted.from_json(job.result["counted"]).spreads[0].bars
    assert first.calls + second.calls == 1000
    assert first.percent == pytest.approx(50, abs=6)


def test_a_log_without_names_is_counted_from_its_first_line(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    log = uploaded(client, b"a@x;1\nb@x;2\n")
    assert (log.has_header, log.columns, log.delimiter) == (False, ["column 1", "column 2"], ";")
    job = counted(client, log, has_header="")
    assert job.result is not None
    assert job.result["rows"] == 2


def test_a_first_line_that_looks_like_names_is_a_call_where_that_is_said(
    client_as: ClientAs, add_row: AddRow
) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client), has_header="")
    assert job.result is not None
    assert job.result["rows"] == 3


def test_a_uri_that_no_proxy_parses_is_a_broken_row(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    content = b"from,to\nsip:a@h,x\nnot a uri,x\n,x\nsip:b@h:99999,x\n<sip:c@h>;tag=1,x\n"
    job = counted(client, uploaded(client, content), algorithm=1, call_id="", from_uri=0)
    assert job.result is not None
    assert job.result["rows"] == 2
    assert [(row["line"], row["why"]) for row in job.result["broken"]["first"]] == [
        (3, "a proxy does not parse this URI"),
        (4, "no From"),
        (5, "a proxy does not parse this URI"),
    ]


def test_calls_without_a_custom_key_are_told_as_refused(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client, b"key,x\na,1\n,2\n,3\n"), algorithm=7, call_id="", custom=0)
    assert job.result is not None
    (told,) = Counted.from_json(job.result["counted"]).spreads
    assert (told.total, told.bars[0].calls) == (3, 1)
    assert told.refusals == (Refused(2, "the request has no key to hash"),)


@pytest.mark.parametrize(
    ("algorithm", "field", "request_of"),
    [
        (0, "call_id", lambda text: Request(call_id=text)),
        (1, "from_uri", lambda text: Request(from_uri=text)),
        (4, "call_id", lambda text: Request(call_id=text)),
        (5, "auth_user", lambda text: Request(auth_user=text)),
        (7, "custom", lambda text: Request(hash_value=text)),
    ],
)
def test_a_log_is_counted_as_the_core_sends_call_by_call(
    client_as: ClientAs, add_row: AddRow, algorithm: int, field: str, request_of: Callable[[str], Request]
) -> None:
    for number in range(5):
        add_row(f"sip:10.0.0.{number}", weight=str(number), state=int(number == 3))
    texts = [f"sip:u{n % 7}{n}@h{n % 3}:{5059 + n % 3}" for n in range(400)]
    client = client_as(Role.OPERATOR)
    content = "value,x\n" + "".join(f"{text},1\n" for text in texts)
    job = counted(
        client, uploaded(client, content.encode()), algorithm=algorithm, **{"call_id": "", field: 0}
    )
    assert job.result is not None
    bars = Counted.from_json(job.result["counted"]).spreads[0].bars
    memory = set_preview(Source(Which.TABLE, None), 1).memory
    one_by_one = [memory.select(1, algorithm, request_of(text), SelectOptions()) for text in texts]
    chosen = Counter(each.chosen.index for each in one_by_one if isinstance(each, Selection))
    assert [bar.calls for bar in bars] == [chosen[index] for index in range(5)]


def test_while_a_count_is_under_way_its_page_polls_itself_and_tells_how_far_it_is(
    client_as: ClientAs,
) -> None:
    job = JobRun.objects.create(
        kind=services.KIND,
        title="a count",
        actor="anna",
        asked_at=timezone.now(),
        started_at=timezone.now(),
        outcome=Outcome.RUNNING,
        progress=30,
        total=40,
        note="3 calls, 0 broken rows",
    )
    url = reverse("preview:spread-count", args=[job.pk])
    fragment = client_as(Role.VIEWER).get(url, headers={"HX-Request": "true", "HX-Target": "run"})
    text = fragment.content.decode()
    assert text.lstrip().startswith('<div id="run" hx-get')
    assert "75 %" in text
    assert "3 calls, 0 broken rows" in text
    assert "Cancel" not in text


def test_a_count_is_cancelled_by_an_operator(client_as: ClientAs) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client)
    asked: dict[str, Any] = {"setid": 1, "algorithm": 0, "source": "table", "call_id": 0}
    client.post(reverse("preview:spread-log-count", args=[log.pk]), asked)
    job = JobRun.objects.get()
    client.post(reverse("preview:spread-count-cancel", args=[job.pk]))
    job.refresh_from_db()
    assert job.outcome == Outcome.CANCELLED
    assert [record.action for record in AuditRecord.objects.order_by("pk")] == ["upload", "count", "cancel"]


def test_deleting_a_log_deletes_its_file(client_as: ClientAs, uploads: Path) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client)
    client.post(reverse("preview:spread-log-delete", args=[log.pk]))
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


POSTS = ("preview:spread-log-count", "preview:spread-log-delete", "preview:spread-count-cancel")
PAGES = ("preview:spread-logs", "preview:spread-log", "preview:spread-count")


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
    job = JobRun.objects.create(kind=services.KIND, title="a count", actor="anna", asked_at=timezone.now())
    return {"log": log.pk, "count": job.pk}


def url_of(name: str, existing: dict[str, int]) -> str:
    if name == "preview:spread-logs":
        return reverse(name)
    return reverse(name, args=[existing["count" if name.startswith("preview:spread-count") else "log"]])


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
    untouched = CallLog.objects.exists() and JobRun.objects.filter(outcome=Outcome.WAITING).exists()
    assert untouched or role in {Role.OPERATOR, Role.ADMINISTRATOR}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("role", [None, *Role], ids=str)
def test_whoever_may_view_sees_logs_and_counts(
    client_as: ClientAs, existing: dict[str, int], name: str, role: Role | None
) -> None:
    assert client_as(role).get(url_of(name, existing)).status_code == (302 if role is None else 200)


@pytest.mark.parametrize("name", [*POSTS, "preview:spread-upload"])
def test_nothing_changes_by_a_get(client_as: ClientAs, existing: dict[str, int], name: str) -> None:
    url = reverse(name) if name == "preview:spread-upload" else url_of(name, existing)
    assert client_as(Role.ADMINISTRATOR).get(url).status_code == 405


@pytest.mark.parametrize("name", POSTS)
def test_a_post_without_a_token_is_refused(client_as: ClientAs, existing: dict[str, int], name: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client_as(Role.ADMINISTRATOR).cookies
    assert strict.post(url_of(name, existing)).status_code == 403


def test_jobs_of_other_kinds_are_not_shown_as_counts(client_as: ClientAs) -> None:
    job = JobRun.objects.create(kind="other", title="x", actor="anna", asked_at=timezone.now())
    assert client_as(Role.VIEWER).get(reverse("preview:spread-count", args=[job.pk])).status_code == 404
