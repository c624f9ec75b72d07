"""The table editor with a third table: what a module writes for a list, add, edit and delete."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import pytest
from django import forms
from django.db import connection, models
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from efcp.accounts.roles import Role
from efcp.audit.models import AuditRecord
from efcp.editing.forms import ExactTextField, RowForm
from efcp.editing.listing import RowQuery, matching_rows, rows_of_page
from efcp.editing.repository import Repository
from efcp.editing.table import Column, Table
from efcp.editing.views import TableEditor
from tests.conftest import ClientAs


class Toy(models.Model):
    box = models.IntegerField()
    name = models.CharField(max_length=8)
    note = models.CharField(max_length=20, null=True)

    class Meta:
        managed = False
        app_label = "toys"
        db_table = "toy"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ToyRow:
    box: int
    name: str
    note: str | None = None
    id: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, stored: object) -> "ToyRow":
        return cls(*attrgetter("box", "name", "note", "id")(stored))


STORED: models.QuerySet[Toy] = models.QuerySet(Toy)

TOYS = Table(
    name="toy",
    model=Toy,
    row=ToyRow,
    noun="toy",
    title="name",
    key="box",
    group_noun="box",
    columns=(
        Column("box", forms.IntegerField(initial=1), identity=True),
        Column("name", ExactTextField(width=8), identity=True, searched=True),
        Column("note", ExactTextField(width=20, required=False), inserted=False),
    ),
)


class ToyForm(RowForm[ToyRow]):
    table = TOYS
    check_url = "toys:check"


class ToyQuery(RowQuery):
    SORTS = ("name", "box")


class ToyEditor(TableEditor[ToyRow]):
    repository = Repository(TOYS)
    form = ToyForm
    list_page = "toys:list"
    templates = "editing"


EDITOR = ToyEditor()


def toy_list(request: HttpRequest) -> HttpResponse:
    query = ToyQuery.parse(request.GET.dict())
    page = rows_of_page(matching_rows(TOYS, query), query, (query.sort, "id"))
    return HttpResponse(", ".join(f"{toy.name} in {toy.box}" for toy in page.rows))


toys = [
    path("", toy_list, name="list"),
    *EDITOR.urls(),
]
urlpatterns = [path("toys/", include((toys, "toys"))), path("", include("efcp.urls"))]


@pytest.fixture(scope="module")
def table(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Create the table outside a test's transaction, which MariaDB would commit."""
    key = "INTEGER PRIMARY KEY AUTO_INCREMENT" if connection.vendor == "mysql" else "INTEGER PRIMARY KEY"
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE toy (id {key}, box INT, name CHAR(8), note CHAR(20))")
        yield
        cursor.execute("DROP TABLE toy")


@pytest.fixture
def editor(table: None, client_as: ClientAs, settings: Settings) -> Client:
    settings.ROOT_URLCONF = __name__
    return client_as(Role.ADMINISTRATOR)


def sent(client: Client, address: str, **typed: Any) -> Any:
    """Open a form and send it, changed as `typed`."""
    token = re.search(r'name="original" value="([^"]*)"', client.get(address).content.decode())
    return client.post(address, typed | ({"original": token[1]} if token else {}))


def test_rows_are_listed_added_edited_and_deleted(editor: Client) -> None:
    sent(editor, "/toys/add/", box=1, name="top")
    sent(editor, "/toys/add/", box=1, name="ball")
    assert editor.get("/toys/").content == b"ball in 1, top in 1"
    assert editor.get("/toys/?q=to&sort=-name").content == b"top in 1"
    top = STORED.get(name="top").pk
    assert sent(editor, f"/toys/{top}/edit/", box=2, name="top", note="red").status_code == 302
    assert ToyRow.of(STORED.get(pk=top)) == ToyRow(2, "top", "red")
    assert sent(editor, f"/toys/{top}/delete/").status_code == 302
    assert editor.get("/toys/").content == b"ball in 1"
    assert list(AuditRecord.objects.order_by("id").values_list("action", "subject_label")) == [
        ("add", "top in box 1"),
        ("add", "ball in box 1"),
        ("edit", "top in box 2"),
        ("delete", "top in box 2"),
    ]


def test_an_invalid_row_and_a_conflict_are_refused(editor: Client) -> None:
    assert sent(editor, "/toys/add/", box=1, name="a long name").status_code == 422
    sent(editor, "/toys/add/", box=1, name="top")
    address = f"/toys/{STORED.get().pk}/edit/"
    token = editor.get(address).context["form"]["original"].value()
    STORED.update(note="theirs")
    page = editor.post(address, {"box": 1, "name": "top", "note": "mine", "original": token})
    assert "another user changed this toy" in page.content.decode()
    assert STORED.get().note == "theirs"
