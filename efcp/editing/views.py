"""The pages that add, edit, clone, restore and delete a row. A module's urls.py includes its editor's routes.

HTTP only: the form checks, the repository writes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from efcp.accounts import list_settings
from efcp.accounts.form_recovery import recover_form
from efcp.accounts.list_settings import ListSettings, SavedFilter
from efcp.accounts.models import User
from efcp.audit.selectors import find_record
from efcp.audit.services import actor_of
from efcp.editing.batch_views import BatchPages
from efcp.editing.forms import DeleteForm, RowForm
from efcp.editing.listing import RowQuery
from efcp.editing.repository import RowChangedError, RowGoneError, RowRefusedError
from efcp.editing.table import RowT
from efcp.forms import form_page

Afterwards = Callable[[HttpRequest], None]
"""Adds messages about the effect of a write that has been done."""


_PAGE = ["GET", "HEAD"]
_FORM = ["GET", "HEAD", "POST"]


@dataclass(frozen=True, slots=True)
class ListMenu:
    """What a user keeps of a list, as its page offers it.

    `url` takes changes. `columns` are the optional ones with their labels. `query` is the query string that
    the list shows, from the first page on.
    """

    url: str
    columns: tuple[tuple[str, str], ...]
    settings: ListSettings
    query: str

    @property
    def classes(self) -> str:
        """The CSS classes of the list's tables that hide columns."""
        return " ".join(f"hides-{name}" for name in self.settings.hidden)

    @property
    def current(self) -> SavedFilter | None:
        """The saved filter that the list shows."""
        return next((each for each in self.settings.filters if each.query == self.query), None)


class TableEditor(BatchPages[RowT]):
    """The pages about one row of one table, and about many of its rows at once.

    Its pages are `form.html` and `delete.html` among its `templates`, which may be those of `editing`.
    A module overrides what is special to it: what forms begin with, what pages show beside them, what else
    a write does.
    """

    optional_columns: tuple[tuple[str, str], ...] = ()
    """The columns of its list that each user may hide, with what people call them."""
    reload_page = ""
    """The view that loads the table into proxies, where a module has one."""
    after_save = "Takes effect on proxies after a reload."
    until_reload = "Takes effect on proxies after a reload."

    def urls(self) -> list[URLPattern]:
        """The routes of its pages, for people who may edit the table; a module's urls.py includes them."""
        return [
            _route("settings/", self.settings, ["POST"], "efcp.view"),
            _route("add/", self.add, _FORM),
            _route("check/", self.check, ["POST"]),
            _route("<int:row_id>/edit/", self.edit, _FORM),
            _route("<int:row_id>/clone/", self.clone, _PAGE),
            _route("<int:row_id>/delete/", self.delete, _FORM),
            _route("restore/<int:record_id>/", self.restore, _PAGE),
            _route("several/", self.several, _FORM),
            _upload_route("import/", self.import_rows),
            _route("import/<int:batch_id>/", self.import_columns, _FORM),
            _route("batches/", self.batches, _PAGE),
            _route("batches/<int:batch_id>/", self.batch, _PAGE),
            _route("batches/of/<slug:write_id>/", self.batch_of_write, _PAGE),
            _route("batches/<int:batch_id>/apply/", self.apply_batch, ["POST"]),
            _route("batches/<int:batch_id>/check/", self.check_batch, ["POST"]),
            _route("batches/<int:batch_id>/undo/", self.undo_batch, ["POST"]),
            _route("batches/<int:batch_id>/discard/", self.discard_batch, ["POST"]),
        ]

    def menu(self, request: HttpRequest, query: RowQuery) -> ListMenu:
        """What the user of the request keeps of this list."""
        kept = list_settings.list_settings(cast(User, request.user), self.table.name)
        url = reverse(f"{self.list_page.partition(':')[0]}:settings")
        return ListMenu(url, self.optional_columns, kept, query.with_page(1))

    def settings(self, request: HttpRequest) -> HttpResponse:
        """Keep for this user which columns the list shows, or a filter by its name, or forget one."""
        user, name, actor = cast(User, request.user), self.table.name, actor_of(request)
        query = request.POST.get("query", "")
        if "delete" in request.POST:
            list_settings.delete_filter(user, name, request.POST["delete"], actor)
        elif "name" in request.POST:
            try:
                saved = list_settings.save_filter(user, name, request.POST["name"], query, actor)
            except list_settings.RefusedFilterError as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, f"Filter “{saved.name}” saved.")
        else:
            optional = [column for column, _label in self.optional_columns]
            list_settings.show_columns(user, name, optional, request.POST.getlist("column"), actor)
        return redirect(reverse(self.list_page) + list_settings.plain_query(query))

    def add(self, request: HttpRequest) -> HttpResponse:
        """The form to add a row; on POST add it."""
        if request.method != "POST":
            return self.show(request, self.form.to_add(self.initial(request), recover_form(request)))
        form = self.bound_form(request)
        if not form.is_valid():
            return self.show(request, form)
        row = form.row()
        afterwards = self.before_write(row)
        try:
            self.repository.add(row, actor_of(request), form.cleaned_data["reason"])
        except RowRefusedError as refusal:
            form.add_error(refusal.column, refusal.text)
            return self.show(request, form)
        text = f"{self.table.title_of(row)} was added to {self.table.group_of(row)}."
        return self.saved(request, form, row, text, afterwards)

    def edit(self, request: HttpRequest, row_id: int) -> HttpResponse:
        """The form to edit a row; on POST write what was changed, if nobody else changed it meanwhile."""
        stored = self.find(row_id)
        if request.method != "POST":
            form = self.form.to_edit(stored, recover_form(request))
            form.initial = {**form.initial, **self.edit_initial(request)}
            return self.show(request, form, stored)
        form = self.bound_form(request, stored)
        if not form.is_valid():
            return self.show(request, form, stored)
        if not form.has_token():
            return self.show_conflict(request, form, stored, stored)
        original, edited = form.original_row(), form.row()
        afterwards = self.before_write(original, edited)
        try:
            self.repository.update(row_id, original, edited, actor_of(request), form.cleaned_data["reason"])
        except RowGoneError:
            raise Http404 from None
        except RowRefusedError as refusal:
            form.add_error(refusal.column, refusal.text)
            return self.show(request, form, stored)
        except RowChangedError as conflict:
            return self.show_conflict(request, form, stored, conflict.current)
        if original == edited:
            messages.info(request, "No changes.")
            return redirect(self.list_page)
        return self.saved(request, form, edited, f"{self.table.title_of(edited)} was saved.", afterwards)

    def clone(self, request: HttpRequest, row_id: int) -> HttpResponse:
        """The form to add a row, filled with the values of another."""
        source = self.find(row_id)
        return self.show(request, self.form.to_clone(source, **self.clone_changes(source)))

    def restore(self, request: HttpRequest, record_id: int) -> HttpResponse:
        """The form filled with the former values of an audit record, to edit the row or to add it again."""
        record = find_record(record_id)
        if record is None or record.subject_kind != self.table.name:
            raise Http404
        former = record.before or {}
        if not former.keys() >= {column.name for column in self.table.columns if column.identity}:
            raise Http404
        stored = self.repository.find(int(record.subject_id))
        return self.show(request, self.form.to_restore(former, stored), stored)

    def delete(self, request: HttpRequest, row_id: int) -> HttpResponse:
        """The question before a row is deleted; on POST delete it, if nobody changed it meanwhile."""
        stored = self.find(row_id)
        if request.method != "POST":
            return self.show_delete(request, DeleteForm(self.table, stored=stored), stored)
        form = DeleteForm(self.table, request.POST, stored=stored)
        if not form.is_valid():
            return self.show_delete(request, form, stored)
        if not form.has_token():
            return self.show_delete(request, DeleteForm(self.table, stored=stored), stored, stored)
        afterwards = self.before_write(stored)
        try:
            actor, reason = actor_of(request), form.cleaned_data["reason"]
            self.repository.delete(row_id, form.original_row(), actor, reason)
        except RowGoneError:
            raise Http404 from None
        except RowChangedError as conflict:
            current = conflict.current
            return self.show_delete(request, DeleteForm(self.table, stored=current), current, current)
        title, group = self.table.title_of(stored), self.table.group_of(stored)
        messages.success(request, f"{title} was deleted from {group}. Proxies keep it until the next reload.")
        afterwards(request)
        return self.to_list(stored)

    def check(self, request: HttpRequest) -> HttpResponse:
        """The findings about one field while the user types (`?row=` for a row that is edited)."""
        name = request.headers.get("HX-Trigger-Name", "")
        row_id = request.GET.get("row", "")
        stored = self.repository.find(int(row_id)) if row_id.isascii() and row_id.isdigit() else None
        form = self.bound_form(request, stored, checked=name)
        if name not in form.fields:
            raise Http404
        form.is_valid()
        return render(request, "editing/field_findings.html", {"field": form[name]})

    # What a module overrides.

    def initial(self, _request: HttpRequest) -> Mapping[str, Any]:
        """What the form to add a row begins with, besides the columns' own initial values."""
        return {}

    def edit_initial(self, _request: HttpRequest) -> Mapping[str, Any]:
        """What the address changes of the form to edit a row."""
        return {}

    def clone_changes(self, _source: RowT) -> Mapping[str, Any]:
        """The columns in which a copy of a row begins with another value."""
        return {}

    def bound_form(
        self, request: HttpRequest, stored: RowT | None = None, *, checked: str = ""
    ) -> RowForm[RowT]:
        """The form as it was sent; `checked` is the only field whose findings are shown, if there is one."""
        return self.form(request.POST, stored=stored)

    def before_write(self, *_rows: RowT) -> Afterwards:
        """Called before these rows are written or deleted; what it returns is called after the write."""
        return lambda _request: None

    def form_context(self, _form: RowForm[RowT], _stored: RowT | None) -> Mapping[str, Any]:
        """What the form's page shows besides the form."""
        return {}

    def delete_context(self, _stored: RowT) -> Mapping[str, Any]:
        """What the page that deletes a row shows besides the question."""
        return {}

    def to_list(self, _row: RowT) -> HttpResponse:
        """Go to the list after a write."""
        return redirect(self.list_page)

    # How the pages answer.

    def find(self, row_id: int) -> RowT:
        """The row; a page that does not exist where there is none."""
        row = self.repository.find(row_id)
        if row is None:
            raise Http404
        return row

    def show(
        self, request: HttpRequest, form: RowForm[RowT], stored: RowT | None = None, **more: Any
    ) -> HttpResponse:
        """The page of the form: 422 where it was refused."""
        context = {"row": stored, "editor": self, **self.form_context(form, stored), **more}
        return form_page(request, f"{self.templates}/form.html", form, **context)

    def show_conflict(
        self, request: HttpRequest, form: RowForm[RowT], stored: RowT, current: RowT
    ) -> HttpResponse:
        """Both versions side by side; saved again, the user's is guarded by `current`."""
        form.renew_token(current)
        now = self.table.masked(current)
        conflict = [
            {"column": name, "edited": edited, "current": now[name], "differs": edited != now[name]}
            for name, edited in self.table.masked(form.row()).items()
        ]
        return self.show(request, form, stored, conflict=conflict)

    def show_delete(
        self, request: HttpRequest, form: DeleteForm[RowT], stored: RowT, changed: RowT | None = None
    ) -> HttpResponse:
        """The question; `changed` is the row as somebody else left it meanwhile."""
        context = {
            "row": stored,
            "row_label": self.table.label(stored),
            "changed": changed,
            "editor": self,
            **self.delete_context(stored),
        }
        return form_page(request, f"{self.templates}/delete.html", form, **context)

    def saved(
        self, request: HttpRequest, form: RowForm[RowT], row: RowT, text: str, afterwards: Afterwards
    ) -> HttpResponse:
        """Say what was saved and what proxies will make of it, and go to the list."""
        offer = f"reload-{self.templates}" if self.reload_page else ""
        messages.success(request, f"{text} {self.after_save}", extra_tags=offer)
        for finding in form.all_warnings():
            messages.warning(request, finding.text)
        afterwards(request)
        if self.reload_page and "and_reload" in request.POST:
            return redirect(self.reload_page)
        return self.to_list(row)


def _route(
    address: str,
    view: Callable[..., HttpResponse],
    methods: Sequence[str],
    permission: str = "efcp.administer",
) -> URLPattern:
    """A route named like its view, for these methods and for people with the permission."""
    permitted = permission_required(permission, raise_exception=True)(view)
    return path(address, require_http_methods(list(methods))(permitted), name=view.__name__)


def _upload_route(address: str, view: Callable[..., HttpResponse]) -> URLPattern:
    """A route for a form with a file, whose view checks the CSRF token itself once it is ready to receive."""
    route = _route(address, view, _FORM)
    route.callback = csrf_exempt(route.callback)
    return route
