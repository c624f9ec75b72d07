"""Many numbers through a dialplan: the report is what one translation after the other gives."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from dialplan import services
from dialplan.translation.rules import RuleRow
from efcp.accounts.roles import Role
from efcp.audit.services import Actor
from efcp.jobs.job_types import JobError, Progress
from efcp.jobs.models import JobOutcome, JobRun
from efcp.preview.bulk_translation.job import number_in, translate_numbers
from efcp.preview.models import CallLog
from tests.conftest import ClientAs
from tests.preview.distribution.logs import as_parquet, uploaded

LOG = "time,number\n1,0301\n2,0302\n3,112\n4,sip:0303@example.org\n5,112\n6\n7,\n"


@pytest.fixture
def log(operator: Client) -> CallLog:
    """An uploaded log with numbers in its second column."""
    operator.post(
        reverse("preview:distribution-upload"), {"log": SimpleUploadedFile("calls.csv", LOG.encode())}
    )
    return CallLog.objects.get()


def add_rule(match_exp: str, **columns: Any) -> int:
    return services.add(RuleRow(dpid=1, match_exp=match_exp, **columns), Actor("somebody"))


def ask(client: Client, log: CallLog, **more: Any) -> Any:
    data = {"dpid": "1", "column": "1", "has_header": "on"} | more
    return client.post(reverse("preview:bulk-translation-log", args=[log.pk]), data)


def result(client: Client, log: CallLog) -> dict[str, Any]:
    """What the job gives, done here and not by a worker."""
    ask(client, log)
    job = JobRun.objects.get()
    JobRun.objects.update(outcome=JobOutcome.RUNNING)
    report = translate_numbers(job.arguments, Progress(job.pk))
    JobRun.objects.update(outcome=JobOutcome.DONE, result=report)
    job.refresh_from_db()
    assert isinstance(job.result, dict)
    return job.result


def test_the_report_shows_hits_and_rules_never_hit(operator: Client, log: CallLog) -> None:
    national = add_rule("^0([0-9]+)$", pr=1, subst_exp="^0(.*)$", repl_exp="+49\\1")
    never = add_rule("^00", pr=2)
    add_rule("^0", pr=0, disabled=1)
    add_rule("^0(", pr=0)
    report = result(operator, log)
    assert (report["discarded"], report["disabled"]) == (1, 1)
    assert (report["numbers"], report["broken"]) == (5, 2)
    assert report["outcomes"] == {"translated": 3, "no rule matches": 2}
    assert report["rules"] == [
        [national, 1, "^0([0-9]+)$", 3, "0301", "+49301"],
        [never, 2, "^00", 0, "", ""],
    ]
    assert report["misses"] == [["112", 2]]


def test_a_number_that_a_rule_only_matches_stays_as_it_is(operator: Client, log: CallLog) -> None:
    own = add_rule("^112$", pr=1, attrs="emergency")
    report = result(operator, log)
    assert report["outcomes"]["matched, unchanged"] == 2
    assert report["rules"] == [[own, 1, "^112$", 2, "112", "(unchanged)"]]


def test_numbers_that_the_order_of_equal_priorities_decides_are_no_hits(
    operator: Client, log: CallLog
) -> None:
    either = add_rule("^0", repl_exp="a")
    other = add_rule("^03", repl_exp="b")
    never = add_rule("^7")
    report = result(operator, log)
    assert [list(line) for line in report["rules"]] == [
        [either, 0, "^0", 0, "", "", 3],
        [other, 0, "^03", 0, "", "", 3],
        [never, 0, "^7", 0, "", ""],
    ]
    page = operator.get(reverse("preview:bulk-translation-run", args=[JobRun.objects.get().pk]))
    assert (len(page.context["maybe"]), page.context["never_count"]) == (2, 1)
    assert "depends on the order of equal priorities" in page.content.decode().lower()


def test_rules_that_a_proxy_may_drop_are_counted(operator: Client, log: CallLog) -> None:
    own = add_rule("112", match_op=0, repl_exp="x\\1")
    report = result(operator, log)
    assert (report["uncertain"], report["rules"][0]) == (1, [own, 0, "112", 0, "", "", 2])
    page = operator.get(
        reverse("preview:bulk-translation-run", args=[JobRun.objects.get().pk])
    ).content.decode()
    assert "a proxy may reject: 1" in page


def test_of_rules_never_hit_some_are_listed_and_all_are_counted(
    operator: Client, log: CallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("efcp.preview.bulk_translation.job.MAX_NEVER", 1)
    for number in range(3):
        add_rule(f"7{number}", match_op=0)
    assert len(result(operator, log)["rules"]) == 1
    page = operator.get(reverse("preview:bulk-translation-run", args=[JobRun.objects.get().pk]))
    assert page.context["never_count"] == 3


def test_the_page_shows_the_report_and_gives_it_as_csv(operator: Client, log: CallLog) -> None:
    add_rule("^0", pr=1)
    add_rule("^77", pr=2)
    result(operator, log)
    job = JobRun.objects.get()
    page = operator.get(reverse("preview:bulk-translation-run", args=[job.pk]))
    assert [line[3] for line in page.context["lines"]] == [3]
    assert page.context["never_count"] == 1
    report = operator.get(reverse("preview:bulk-translation-download", args=[job.pk])).content.decode()
    assert "^77,0" in report


FORMULAS = (
    (" =1+1", "' =1+1"),
    ("x;=HYPERLINK(1)", "x;'=HYPERLINK(1)"),
    ("x; +1+2", "x;' +1+2"),
    ("x|@y", "x|'@y"),
    ("x\t=1", "x\t'=1"),
)


@pytest.mark.parametrize(
    ("number", "cell"),
    [
        ("+49301", "+49301"),
        ("-1", "-1"),
        ("=1+1", "'=1+1"),
        ("+1+cmd", "'+1+cmd"),
        ("@x", "'@x"),
        ("7", "7"),
        *FORMULAS,
    ],
)
def test_no_cell_of_the_csv_is_a_formula(operator: Client, log: CallLog, number: str, cell: str) -> None:
    own = add_rule("^")
    result(operator, log)
    JobRun.objects.update(result={"rules": [[own, 0, "^", 1, number, ""]]})
    report = operator.get(reverse("preview:bulk-translation-download", args=[JobRun.objects.get().pk]))
    assert report.content.decode().splitlines()[1] == f"{own},0,^,1,{cell},"


def test_without_a_rule_that_loads_the_job_reports_it(operator: Client, log: CallLog) -> None:
    ask(operator, log)
    job = JobRun.objects.get()
    with pytest.raises(JobError, match="No rule of dialplan 1"):
        translate_numbers(job.arguments, Progress(job.pk))


def test_a_deleted_log_is_reported_by_the_job(operator: Client, log: CallLog) -> None:
    ask(operator, log)
    job = JobRun.objects.get()
    CallLog.objects.all().delete()
    with pytest.raises(JobError, match="deleted"):
        translate_numbers(job.arguments, Progress(job.pk))


@pytest.mark.parametrize("wrong", [{"dpid": ""}, {"dpid": "-1"}, {"column": "9"}, {"column": "x"}])
def test_a_question_without_sense_is_refused(operator: Client, log: CallLog, wrong: dict[str, str]) -> None:
    assert ask(operator, log, **wrong).status_code == 422
    assert not JobRun.objects.exists()


def test_it_can_be_cancelled(operator: Client, log: CallLog) -> None:
    ask(operator, log)
    job = JobRun.objects.get()
    operator.post(reverse("preview:bulk-translation-cancel", args=[job.pk]))
    assert JobRun.objects.get().outcome == JobOutcome.CANCELLED


@pytest.mark.parametrize(
    ("role", "shown", "question"),
    [(None, 302, 302), (Role.VIEWER, 200, 403), (Role.ADMINISTRATOR, 200, 302)],
)
def test_everybody_sees_reports_and_operators_ask(
    client_as: ClientAs, log: CallLog, role: Role | None, shown: int, question: int
) -> None:
    client = client_as(role)
    assert client.get(reverse("preview:bulk-translation")).status_code == shown
    assert ask(client, log).status_code == question


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0301", "0301"),
        ("sip:0301@example.org", "0301"),
        ("<sip:+49301@example.org;user=phone>", "+49301"),
        ('"A" <SIP:alice@example.org>', "alice"),
        ("tel:+49301;phone-context=x", "+49301"),
        ("sip:example.org", "example.org"),
        ("", ""),
    ],
)
def test_of_a_uri_the_user_part_is_the_number(text: str, number: str) -> None:
    assert number_in(text.encode()) == number.encode()


def test_of_a_parquet_log_the_column_is_translated(operator: Client) -> None:
    own = add_rule("^0", repl_exp="x")
    log = uploaded(operator, as_parquet(time=[1, 2, 3], number=["0301", None, "0302"]), "calls.parquet")
    report = result(operator, log)
    assert (report["numbers"], report["broken"]) == (2, 1)
    assert report["rules"][0][:4] == [own, 0, "^0", 2]


def test_long_lines_are_read_and_broken_ones_counted(operator: Client) -> None:
    add_rule("^7")
    log = uploaded(operator, b"time,number\n1,2\n" + b"x" * 35_000 + b",7\n3,4\n5\n")
    report = result(operator, log)
    assert (report["numbers"], report["broken"], report["rules"][0][3]) == (3, 1, 1)


@pytest.mark.parametrize(
    "name",
    [
        "bulk-translation-log",
        "bulk-translation-run",
        "bulk-translation-download",
        "distribution-log",
        "distribution-count",
    ],
)
def test_an_id_larger_than_any_column_is_not_found(operator: Client, name: str) -> None:
    assert operator.get(reverse(f"preview:{name}", args=[10**30])).status_code == 404


@pytest.mark.parametrize(
    ("content", "column"),
    [
        (b"time,Called Number\n1,+4930123\n", 1),
        (b"id,from,to\nx,alice,bob\n", 2),
        (b"a,b\nx,0301234\n", 1),
        (b"a,b\nx,y\n", 0),
    ],
)
def test_the_column_of_numbers_is_guessed(operator: Client, content: bytes, column: int) -> None:
    log = uploaded(operator, content)
    page = operator.get(reverse("preview:bulk-translation-log", args=[log.pk]))
    assert page.context["form"]["column"].value() == column
