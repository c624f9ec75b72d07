"""Lists as files: every row that the filters match, and no cell that a spreadsheet runs."""

import csv
import io
import json
import zipfile
from collections.abc import Callable

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from efcp.accounts.roles import Role
from efcp.editing.export import harmless
from tests.factories import DestinationFactory, RuleFactory

URL = "/cp/system/dispatcher/export"


def body(answer: object) -> bytes:
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]


@given(st.text())
def test_a_cell_never_begins_as_a_formula_and_can_be_restored(text: str) -> None:
    cell = harmless(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert (cell[1:] if cell.startswith("'") else cell) == text


@pytest.mark.django_db
def test_a_file_has_what_the_filters_match(client_as: Callable[[Role | None], Client]) -> None:
    client = client_as(Role.VIEWER)
    DestinationFactory.create(setid=2, destination="sip:10.0.0.2")
    row = DestinationFactory.create(
        setid=1, description="=1+1", attrs="<&é", weight="fs://user:secret@10.0.0.1:8021"
    )
    [listed] = csv.DictReader(io.StringIO(body(client.get(f"{URL}.csv?setid=1")).decode()))
    assert (listed["id"], listed["description"]) == (str(row.pk), "'=1+1")
    assert "secret" not in listed["weight"]
    [shown] = json.loads(body(client.get(f"{URL}.json?setid=1")))
    assert (shown["description"], shown["socket"], shown["setid"]) == ("=1+1", None, 1)
    with zipfile.ZipFile(io.BytesIO(body(client.get(f"{URL}.xlsx?setid=1")))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert '<c t="inlineStr"><is><t xml:space="preserve">=1+1</t>' in sheet
    assert "&lt;&amp;é" in sheet
    assert client.get(f"{URL}.exe").status_code == 404
    assert json.loads(body(client.get(f"{URL}.json?setid=77"))) == []


@pytest.mark.django_db
def test_rules_are_exported_too(client_as: Callable[[Role | None], Client]) -> None:
    RuleFactory.create(match_exp="^1")
    [rule] = json.loads(body(client_as(Role.VIEWER).get("/cp/system/dialplan/export.json")))
    assert rule["match_exp"] == "^1"
