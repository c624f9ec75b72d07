"""The names that administrators give to the groups of a table's rows: sets and dialplans.

Only the panel knows them, in a table of its own with one row for each named group.
"""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from efcp.audit.edit_tokens import StaleFormError, require_current, token_in
from efcp.audit.services import Actor, Subject, actor_of, record
from efcp.editing.repository import serialized_writes
from efcp.forms import form_page

MAX_NAMES = 1000
"""Names of one table that are read for a page."""


class GroupNameForm(forms.Form):
    """The name of a group; empty takes it away."""

    name = forms.CharField(
        label="Name",
        max_length=64,
        required=False,
        help_text="Shown next to the number in the panel; proxies ignore it. Leave blank to remove.",
    )


@dataclass(frozen=True, slots=True)
class GroupNames:
    """The names of a table's groups. `model` has the primary key `key` and a `name`.

    `subject_kind` is theirs in the audit. `list_page` names the address of the list, `template` the page.
    """

    model: type[Model]
    key: str
    noun: str
    subject_kind: str
    list_page: str
    template: str = "editing/name.html"

    def all(self) -> dict[int, str]:
        """The names by number."""
        names = self.model._default_manager.order_by(self.key).values_list(self.key, "name")
        return dict(names[:MAX_NAMES])

    def stored(self, number: int) -> Any:
        """The stored name of a group; an unsaved one with an empty name where it has none."""
        found = self.model._default_manager.filter(pk=number).first()
        return found or self.model(**{self.key: number, "name": ""})

    def rename(self, number: int, name: str, actor: Actor, original: str | None = None) -> None:
        """Give the group a name, or take it away where `name` is empty.

        `original` is the form's edit token. Raises StaleFormError.
        """
        subject = Subject(self.subject_kind, str(number), f"{self.noun} {number}")
        with serialized_writes(self.model._meta.db_table):
            stored = self.stored(number)
            require_current(original, stored, subject)
            if stored.name == name:
                return
            if name:
                self.model._default_manager.update_or_create(pk=number, defaults={"name": name})
            else:
                self.model._default_manager.filter(pk=number).delete()
            record(actor, "name", subject, before={"name": stored.name}, after={"name": name})

    def page(self, request: HttpRequest, number: int) -> HttpResponse:
        """The form that names a group; on POST store the name."""
        stored, stale = self.stored(number), None
        form = GroupNameForm(request.POST or None, initial={"name": stored.name})
        if request.method == "POST" and form.is_valid():
            try:
                self.rename(number, form.cleaned_data["name"], actor_of(request), token_in(request))
            except StaleFormError as error:
                stale, stored = error, self.stored(number)
            else:
                return redirect(self.list_page)
        context = {"names": self, "number": number, "stored": stored, "stale": stale}
        return form_page(request, self.template, form, **context)
