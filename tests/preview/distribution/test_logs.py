"""Call logs: choosing columns, and counting them as jobs."""

import io
from collections import Counter
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from django.urls import reverse
from django.utils import timezone
from pyarrow import parquet

from dispatcher.routing.hashing import Request
from dispatcher.routing.selecting import SelectOptions
from dispatcher.routing.selection import Selection
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.jobs.models import JobOutcome, JobRun
from efcp.preview.distribution import services
from efcp.preview.distribution.counting import CountResult
from efcp.preview.sources import Source, SourceKind, set_preview
from tests.conftest import AddRow, ClientAs
from tests.dispatcher.conftest import add_row as add_row
from tests.preview.distribution.logs import as_parquet, counted, send, uploaded


def test_a_csv_log_is_counted(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client))
    assert (job.outcome, job.message) == (JobOutcome.DONE, "")
    assert job.result is not None
    assert (job.result["rows"], job.result["broken"]["count"]) == (2, 0)
    text = client.get(reverse("preview:distribution-count", args=[job.pk])).content.decode()
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
    text = client.get(reverse("preview:distribution-count", args=[job.pk])).content.decode()
    assert "<b>4</b> invalid rows skipped" in text
    assert "only-one" in text


def test_lines_that_an_open_quote_swallows_are_all_counted_as_broken(
    client_as: ClientAs, add_row: AddRow
) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client, b'call_id,from\na@x,1\n"b@x,1\nc@x,1\nd@x",1,1\ne@x,1\n'))
    assert job.result is not None
    assert (job.result["rows"], job.result["broken"]["count"]) == (2, 3)


def test_a_log_of_another_make_than_its_first_line_reports_it(
    client_as: ClientAs, add_row: AddRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("efcp.preview.distribution.reading.HOPELESS_AFTER", 100)
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client, b"call_id,from\n" + b"a;b;c\n" * 200))
    assert job.outcome == JobOutcome.FAILED
    assert "has as many columns as the first line" in job.message


def test_a_column_that_holds_no_texts_is_reported(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client, as_parquet(call_id=[[1], [2]]), "calls.parquet"))
    assert job.outcome == JobOutcome.FAILED
    assert job.message.startswith("Column call_id contains list<")


def test_a_parquet_column_whose_name_another_has_too_is_reported(
    client_as: ClientAs, add_row: AddRow
) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    written = io.BytesIO()
    calls = pa.array(["a", "b"])
    parquet.write_table(pa.Table.from_arrays([calls, calls], names=["id", "id"]), written)
    job = counted(client, uploaded(client, written.getvalue(), "calls.parquet"), call_id=1)
    assert job.message == "Several columns are named id: rename them first."


def test_a_parquet_file_that_is_cut_is_reported(client_as: ClientAs, add_row: AddRow) -> None:
    client = client_as(Role.OPERATOR)
    whole = as_parquet(call_id=["a", "b"])
    response = send(client, whole[:-20], "calls.parquet")
    assert response.status_code == 422
    assert "Parquet file can&#x27;t be read" in response.content.decode()


def test_a_log_that_was_deleted_meanwhile_is_reported(client_as: ClientAs) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client)
    log.path.unlink()
    assert counted(client, log).message == "The log was deleted."


@pytest.mark.parametrize(
    ("question", "field", "expected"),
    [
        ({"call_id": ""}, "call_id", "Required for algorithm 0: select a column."),
        ({"algorithm": 1}, "from_uri", "Required for algorithm 1"),
        ({"call_id": 99}, "call_id", "The log has no such column."),
        ({"algorithm": 77}, "algorithm", "Unknown algorithm"),
        ({"source": "memory-9"}, "source", "no longer exists"),
    ],
)
def test_a_question_without_sense_begins_no_count(
    client_as: ClientAs, question: dict[str, Any], field: str, expected: str
) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client)
    form: dict[str, Any] = {"setid": 1, "algorithm": 0, "source": "table", "call_id": 0} | question
    response = client.post(reverse("preview:distribution-log-count", args=[log.pk]), form)
    assert response.status_code == 422
    assert expected in " ".join(response.context["form"].errors[field])
    assert not JobRun.objects.exists()


def test_an_unsaved_edit_stands_beside_the_table(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:192.0.2.1:5060")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client), edit_uri="sip:192.0.2.1:5060", edit_state="gone")
    assert job.result is not None
    table, edited = job.result["counted"]["spreads"]
    assert edited["name"] == "table with the unsaved edit"
    assert sum(bar["calls"] for bar in table["bars"]) == 2
    assert "no destination" in edited["problem"]


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
    first, second = CountResult.from_json(job.result["counted"]).distributions[0].bars
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


def test_a_first_line_that_looks_like_names_is_a_call_where_that_is_chosen(
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
        (3, "a proxy can't parse this URI"),
        (4, "no From"),
        (5, "a proxy can't parse this URI"),
    ]


def test_calls_without_a_custom_key_are_reported_as_refused(client_as: ClientAs, add_row: AddRow) -> None:
    add_row("sip:10.0.0.1")
    client = client_as(Role.OPERATOR)
    job = counted(client, uploaded(client, b"key,x\na,1\n,2\n,3\n"), algorithm=7, call_id="", custom=0)
    assert job.result is not None
    (distribution,) = CountResult.from_json(job.result["counted"]).distributions
    assert (distribution.total, distribution.bars[0].calls) == (3, 1)
    assert distribution.refusals == ((2, "the request has nothing to hash"),)


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
    bars = CountResult.from_json(job.result["counted"]).distributions[0].bars
    memory = set_preview(Source(SourceKind.TABLE, None), 1).memory
    one_by_one = [memory.select(1, algorithm, request_of(text), SelectOptions()) for text in texts]
    chosen = Counter(each.chosen.index for each in one_by_one if isinstance(each, Selection))
    assert [bar.calls for bar in bars] == [chosen[index] for index in range(5)]


def test_while_a_count_is_under_way_its_page_polls_itself_and_shows_progress(
    client_as: ClientAs,
) -> None:
    job = JobRun.objects.create(
        kind=services.KIND,
        title="a count",
        actor="anna",
        requested_at=timezone.now(),
        started_at=timezone.now(),
        outcome=JobOutcome.RUNNING,
        progress=30,
        total=40,
        note="3 calls, 0 broken rows",
    )
    url = reverse("preview:distribution-count", args=[job.pk])
    fragment = client_as(Role.VIEWER).get(url, headers={"HX-Request": "true", "HX-Target": "run"})
    text = fragment.content.decode()
    assert text.lstrip().startswith('<div id="run" hx-get')
    assert "75 %" in text
    assert "3 calls, 0 broken rows" in text
    assert "Cancel" not in text


def test_a_count_is_cancelled_by_an_operator(client_as: ClientAs) -> None:
    client = client_as(Role.OPERATOR)
    log = uploaded(client)
    question: dict[str, Any] = {"setid": 1, "algorithm": 0, "source": "table", "call_id": 0}
    client.post(reverse("preview:distribution-log-count", args=[log.pk]), question)
    job = JobRun.objects.get()
    client.post(reverse("preview:distribution-count-cancel", args=[job.pk]))
    job.refresh_from_db()
    assert job.outcome == JobOutcome.CANCELLED
    assert [record.action for record in AuditRecord.objects.order_by("pk")] == ["upload", "count", "cancel"]
