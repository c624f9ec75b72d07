"""Imports: what a file is, how its columns are matched, and what becomes of its rows."""

import io
import json
import random
import re
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django.fixtures import Settings

from dialplan import services as rules
from dialplan.models import Rule
from dialplan.translation.rules import RuleRow
from dispatcher.models import Destination
from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.editing.models import Batch, BatchRow
from efcp.jobs import running
from efcp.jobs.models import JobRun
from tests.conftest import ClientAs
from tests.factories import SOMEBODY, DestinationFactory

ROOT = "/cp/system/dispatcher/"
RULES = "/cp/system/dialplan/"
TEXTS = ["", None, "=1+1", "'quoted", "'=both", "-5", "@x", 'a "b", c', "ümlaut", "a;b=c", " spaces "]


@pytest.fixture(autouse=True)
def _uploads(settings: Settings, tmp_path: Path) -> None:
    settings.UPLOAD_DIR = tmp_path / "uploads"


@pytest.fixture
def client(client_as: ClientAs) -> Client:
    return client_as(Role.ADMINISTRATOR)


def upload(client: Client, content: bytes, name: str = "rows.csv", root: str = ROOT) -> str:
    response = client.post(f"{root}import/", {"file": SimpleUploadedFile(name, content)})
    assert response.status_code == 302, text_of(response.content.decode())
    return str(response.headers["Location"])


def text_of(content: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content))


def check(client: Client, page: str, **changes: str) -> Batch:
    """Send the form of the columns as it stands, with changes; return the checked batch."""
    shown = client.get(page).content.decode()
    fields = dict.fromkeys(re.findall(r'name="(column_\d+)"', shown), "")
    for select in re.findall(r"<select name=\"(\w+)\".*?</select>", shown, re.DOTALL):
        part = shown.split(f'<select name="{select}"')[1].split("</select>")[0]
        chosen = re.search(r'value="([^"]*)" selected', part)
        fields[select] = chosen[1] if chosen else ""
    response = client.post(page, {**fields, "check": "1", **changes})
    assert response.status_code == 302, text_of(response.content.decode())
    for job in JobRun.objects.filter(outcome="waiting"):
        JobRun.objects.filter(pk=job.pk).update(outcome="running")
        running.execute(job.pk)
    return Batch.objects.get(pk=int(str(response.headers["Location"]).rstrip("/").rpartition("/")[2]))


def apply(client: Client, batch: Batch, **fields: str) -> None:
    root = ROOT if batch.table == "dispatcher" else RULES
    client.post(f"{root}batches/{batch.pk}/apply/", fields)


@pytest.mark.parametrize("kind", ["csv", "json", "xlsx"])
@pytest.mark.parametrize("root", [ROOT, RULES])
def test_an_import_of_an_export_changes_nothing(client: Client, root: str, kind: str) -> None:
    chance = random.Random(kind + root)
    for number in range(25):
        text = chance.choice(TEXTS)
        if root == ROOT:
            DestinationFactory.create(
                setid=chance.randrange(3),
                destination=f"sip:10.0.0.{number}",
                attrs=text,
                description=chance.choice(TEXTS),
                weight=chance.choice(["1", "70000", "fs://u:secret@h:8021", "x"]),
                priority=chance.choice([0, 7]),
                state=chance.choice([0, 1, 2]),
            )
        else:
            rules.add(
                RuleRow(
                    dpid=chance.randrange(2),
                    pr=chance.choice([-5, 0, 3]),
                    match_op=chance.choice([0, 1]),
                    match_exp=chance.choice(["^1$", "=2", "'3", "([unclosed"]),
                    match_flags=chance.choice([0, 1, 3]),
                    repl_exp=chance.choice(TEXTS),
                    attrs=text,
                    timerec=chance.choice([None, "", "never heard of"]),
                    disabled=chance.choice([0, 1]),
                ),
                SOMEBODY,
            )
    response = client.get(f"{root}export.{kind}")
    content = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    for changes in ({}, {"match": "key", "missing": "all"}):
        batch = check(client, upload(client, content, f"rows.{kind}", root), **changes)
        assert batch.counts == {"same": 25}, list(
            BatchRow.objects.exclude(kind="same").values("before", "after", "findings", "kind")
        )


def test_rows_are_new_changed_same_gone_or_refused_and_confirmed_together(client: Client) -> None:
    for number in range(1, 4):
        DestinationFactory.create(destination=f"sip:10.0.0.{number}", weight="1", description="kept")
    DestinationFactory.create(setid=5, destination="sip:10.0.0.9")
    content = (
        b"set;uri;Weight;state;extra\n"
        b"1;sip:10.0.0.1;1;active;x\n"
        b"1;sip:10.0.0.2;5;0;x\n"
        b"1;sip:10.0.0.4;2;1;x\n"
        b"1;sip:10.0.0.4;2;1;x\n"
        b"one;sip:10.0.0.5;2;0;x\n"
        b"1;10.0.0.6;2;0;x\n"
    )
    page = upload(client, content)
    assert "x" in client.get(page).content.decode()
    batch = check(client, page, column_1="destination", missing="group", match="key")
    assert batch.counts == {"same": 1, "changed": 1, "new": 1, "refused": 3, "gone": 1}
    shown = text_of(client.get(f"{ROOT}batches/{batch.pk}/").content.decode())
    assert "Another new row already has this set and URI" in shown
    assert "Enter a whole number." in shown
    before = AuditRecord.objects.count()
    apply(client, batch)
    assert AuditRecord.objects.count() == before
    apply(client, batch, without_refused="1")
    found = Destination.objects.order_by("setid", "destination").values_list(
        "destination", "weight", "state", "description"
    )
    assert list(found) == [
        ("sip:10.0.0.1", "1", 0, "kept"),
        ("sip:10.0.0.2", "5", 0, "kept"),
        ("sip:10.0.0.4", "2", 1, ""),
        ("sip:10.0.0.9", "1", 0, ""),
    ]
    assert AuditRecord.objects.count() == before + 3
    undo = client.post(f"{ROOT}batches/{batch.pk}/undo/").headers["Location"]
    client.post(f"{undo}apply/")
    assert list(Destination.objects.order_by("destination").values_list("weight", flat=True)) == ["1"] * 4


def test_inserts_of_a_dump_are_read_with_and_without_columns(client: Client) -> None:
    dump = rb"""-- MariaDB dump 10.19
CREATE TABLE `acc` (`id` int);
INSERT INTO `acc` VALUES (1),(2);
INSERT INTO `dispatcher` VALUES (1,1,'sip:10.0.0.1','udp:10.0.0.9:5060',0,'5',0,'it''s \'x\'',NULL),
(2,1,'sip:10.0.0.2',NULL,2,'1',7,'','two; (three)');
INSERT INTO dispatcher (setid, destination, probe_mode) VALUES (2, 'sip:10.0.0.3', 1);
"""
    page = upload(client, dump.rsplit(b"INSERT", 1)[0], "old.sql")
    batch = check(client, page)
    assert batch.counts == {"new": 2}
    apply(client, batch)
    assert list(Destination.objects.values_list("socket", "weight", "attrs", "priority", "description")) == [
        ("udp:10.0.0.9:5060", "5", "it's 'x'", 0, ""),
        (None, "1", "", 7, "two; (three)"),
    ]
    assert check(client, upload(client, b"INSERT" + dump.rsplit(b"INSERT", 1)[1], "new.sql")).total == 1
    rule = (
        b"CREATE TABLE dialplan (id int(10), dpid int, pr int, match_op int, match_exp char(64),\n"
        b" match_flags int, subst_exp char(64), repl_exp char(32), timerec char(255), disabled int,"
        b" attrs char(255), PRIMARY KEY (id));\n"
        b"INSERT INTO \"dialplan\" VALUES(1,1,-2,1,'^0(\\\\d+)$',1,'^0(\\\\d+)$','\\\\1',NULL,1,'a');"
    )
    apply(client, check(client, upload(client, rule, "rules.sql", RULES)))
    assert list(Rule.objects.values_list("pr", "match_exp", "match_flags", "disabled")) == [
        (-2, r"^0(\d+)$", 1, 1)
    ]


def test_flags_and_attributes_of_kamailio_are_translated_and_explained(client: Client) -> None:
    lists = b"# setid destination flags priority attrs\n"
    lists += b"1 sip:10.0.0.1:5080 9 3 weight=40;duid=a;socket=udp:10.9.9.9:5060\n"
    lists += b'\n2 "sip:10.0.0.2" 0\n'
    batch = check(client, upload(client, lists, "dispatcher.list"))
    shown = text_of(client.get(f"{ROOT}batches/{batch.pk}/").content.decode())
    assert "Flag 8 (probing): imported as always probed." in shown
    assert "Flag 1 (inactive): imported with the initial state inactive." in shown
    apply(client, batch)
    columns = ("setid", "state", "probe_mode", "priority", "weight", "attrs", "socket")
    assert list(Destination.objects.order_by("setid").values_list(*columns)) == [
        (1, 1, 1, 3, "40", "duid=a", "udp:10.9.9.9:5060"),
        (2, 0, 0, 0, "1", "", None),
    ]
    table = b"INSERT INTO `dispatcher` VALUES (1,3,'sip:10.0.0.7',8,0,'','from a table');"
    apply(client, check(client, upload(client, table, "kamailio.sql")))
    assert Destination.objects.filter(setid=3, probe_mode=1, description="from a table").exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_are_recognized_or_have_to_be_chosen(client: Client, encoding: str) -> None:
    page = upload(client, "setid,destination,description\n1,sip:10.0.0.1,Köln\n".encode(encoding))
    shown = client.get(page).content.decode()
    assert ("choose its encoding" in shown) == (encoding == "cp1252")
    assert "Köln" in shown
    apply(client, check(client, page))
    assert Destination.objects.get().description == "Köln"


def workbook(sheet: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("xl/worksheets/sheet1.xml"), sheet)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02\xff", "no text, JSON or XLSX file"),
        (",".join(f"c{number}" for number in range(1000)).encode() + b"\n1\n", "1,000 columns; at most 64"),
        (
            b'setid,destination\n1,"sip:10.0.0.1\n2,sip:10.0.0.2\n',
            "Line 2: a quote that is opened there is never",
        ),
        (b'setid,destination\n1,"' + b"x" * 200_000, "Line 2: a quote that is opened there is never"),
        (b"setid,destination\n", "no rows"),
        (b"[" * 100_000, "no valid JSON"),
        (b'[{"setid": 1}, {"setid": ', "no valid JSON"),
        (b"[1, 2]", "no object"),
        (b"PK\x03\x04 nothing", "damaged"),
        (workbook(b" " * 2_000_000), "larger than 1 MB"),
        (
            workbook(b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet>&a;</worksheet>'),
            "document type",
        ),
        (b"INSERT INTO other VALUES (1);", "no INSERT INTO dispatcher"),
        (b"INSERT INTO dispatcher VALUES (1,2,'unclosed", "never closed"),
    ],
    ids=[f"file {number}" for number in range(14)],
)
def test_a_file_that_is_none_is_explained_and_leaves_nothing(
    client: Client, content: bytes, expected: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("efcp.editing.reading._MAX_UNPACKED", 1_000_000)
    response = client.post(f"{ROOT}import/", {"file": SimpleUploadedFile("x", content)})
    assert response.status_code == 422
    assert expected in text_of(response.content.decode())
    assert not Batch.objects.exists()
    assert list(Path(settings.UPLOAD_DIR).iterdir()) == []


def test_too_large_a_body_is_refused_unread(client: Client) -> None:
    response = client.post(f"{ROOT}import/", {"file": SimpleUploadedFile("x", b"x" * 41_000_000)})
    assert response.status_code == 413
    assert "exceeds the limit of 40 MB" in response.content.decode()


def test_a_larger_file_is_checked_and_written_by_jobs(
    client: Client, django_capture_on_commit_callbacks: object
) -> None:
    rows = [{"setid": 1, "destination": f"sip:10.0.{n // 250}.{n % 250}"} for n in range(300)]
    batch = check(client, upload(client, json.dumps(rows).encode()))
    assert batch.counts == {"new": 300}
    apply(client, batch)
    batch.refresh_from_db()
    assert (batch.state, Destination.objects.count()) == ("applying", 0)
    assert batch.job_id
    JobRun.objects.filter(pk=batch.job_id).update(outcome="running")
    running.execute(batch.job_id)
    batch.refresh_from_db()
    assert (batch.state, Destination.objects.count()) == ("applied", 300)
    assert AuditRecord.objects.filter(write_id=batch.write_id).count() == 300
