"""The dispatcher's pages. HTTP only: what is read stands in selectors.py, what is written in services.py."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dispatcher import list_page, selectors, services
from dispatcher.changes import pending_changes
from dispatcher.environment import form_environment, known_sockets
from dispatcher.forms import DeleteForm, DestinationForm, SetNameForm
from dispatcher.listing import SIZES, ListQuery, Live
from dispatcher.loss import loss_of
from dispatcher.models import Destination, InitialState
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.form_recovery import recover_form
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.selectors import find_record
from efcp.audit.services import actor_of
from efcp.proxies.context import watched_on

LIVE_LABELS = (
    (Live.ACTIVE, "Active somewhere"),
    (Live.PROBING, "Probing somewhere"),
    (Live.INACTIVE, "Inactive somewhere"),
    (Live.ABSENT, "Not loaded somewhere"),
)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def destination_list(request: HttpRequest) -> HttpResponse:
    """All destinations by set, filtered, sorted and paged by the URL."""
    is_fragment = request.headers.get("HX-Target") == "destinations"
    context = {
        "is_fragment": is_fragment,
        "page": list_page.build(ListQuery.parse(request.GET.dict()), watched_on(request)),
        "initial_states": InitialState.choices,
        "live_states": LIVE_LABELS,
        "sizes": SIZES,
    }
    return render(request, f"dispatcher/list.html{'#destinations' if is_fragment else ''}", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def pending(request: HttpRequest) -> HttpResponse:
    """The fragment that counts what a reload would change."""
    return render(request, "dispatcher/pending.html", {"pending": pending_changes(watched_on(request))})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
def add(request: HttpRequest) -> HttpResponse:
    """Add a destination; `?setid=` fills the set."""
    if request.method != "POST":
        given = request.GET.get("setid", "")
        initial = {"setid": given} if given.isascii() and given.isdigit() else {}
        return _show_form(request, DestinationForm.to_add(initial, recover_form(request)))
    form = DestinationForm.posted(request.POST, form_environment())
    if not form.is_valid():
        return _show_form(request, form)
    try:
        services.add(form.values(), actor_of(request), form.why())
    except services.DuplicateDestinationError as error:
        form.add_duplicate_error(error.other_id)
        return _show_form(request, form)
    return _saved(request, form, f"{form.values().destination} was added to set {form.values().setid}.")


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
def edit(request: HttpRequest, destination_id: int) -> HttpResponse:
    """Edit a destination; only what was changed is written, and only if nobody else changed it meanwhile."""
    row = _find(destination_id)
    if request.method != "POST":
        return _show_form(request, DestinationForm.to_edit(row, recover_form(request)), row)
    form = DestinationForm.posted(request.POST, form_environment(), row)
    if not form.is_valid():
        return _show_form(request, form, row)
    if not form.has_signed_original():
        return _show_conflict(request, form, row, DestinationRow.of(row))
    try:
        services.update(row.pk, form.seen(), form.values(), actor_of(request), form.why())
    except services.DestinationGoneError:
        raise Http404 from None
    except services.DuplicateDestinationError as error:
        form.add_duplicate_error(error.other_id)
        return _show_form(request, form, row)
    except services.ChangedMeanwhileError as error:
        return _show_conflict(request, form, row, error.current)
    if form.seen() == form.values():
        messages.info(request, "Nothing was changed.")
        return redirect("dispatcher:list")
    return _saved(request, form, f"{form.values().destination} was saved.")


@require_safe
@permission_required("efcp.administer", raise_exception=True)
def clone(request: HttpRequest, destination_id: int) -> HttpResponse:
    """The form to add a destination, filled with the values of another."""
    return _show_form(request, DestinationForm.to_clone(_find(destination_id)))


@require_safe
@permission_required("efcp.administer", raise_exception=True)
def restore(request: HttpRequest, record_id: int) -> HttpResponse:
    """The form filled with the former values that an audit record keeps, to edit or to add again."""
    record = find_record(record_id)
    if record is None or record.subject_kind != "dispatcher" or record.action == "state" or not record.before:
        raise Http404
    row = selectors.find(int(record.subject_id))
    return _show_form(request, DestinationForm.to_restore(record.before, row), row)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
def delete(request: HttpRequest, destination_id: int) -> HttpResponse:
    """Ask, showing what the set loses; then delete."""
    row = _find(destination_id)
    form = DeleteForm(request.POST or None, row=row)
    if request.method == "POST" and not form.has_signed_original():
        return _show_delete(request, DeleteForm(row=row), row, DestinationRow.of(row))
    if request.method == "POST" and form.is_valid():
        try:
            services.delete(row.pk, form.seen(), actor_of(request), form.cleaned_data["reason"])
        except services.DestinationGoneError:
            raise Http404 from None
        except services.ChangedMeanwhileError as error:
            return _show_delete(request, DeleteForm(row=row), row, error.current)
        messages.success(
            request, f"{row.destination} was deleted from set {row.setid}. Proxies keep it until they reload."
        )
        return redirect("dispatcher:list")
    return _show_delete(request, form, row)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
def name_set(request: HttpRequest, setid: int) -> HttpResponse:
    """Give a set a name."""
    stale: StaleFormError | None = None
    form = SetNameForm(request.POST or None, initial={"name": selectors.named_set(setid).name})
    if request.method == "POST" and form.is_valid():
        try:
            services.name_set(setid, form.cleaned_data["name"], actor_of(request), token_in(request))
        except StaleFormError as error:
            stale = error
        else:
            return redirect("dispatcher:list")
    context = {"form": form, "setid": setid, "stored": selectors.named_set(setid), "stale": stale}
    return render(request, "dispatcher/name_set.html", context, status=409 if stale else 200)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def check(request: HttpRequest) -> HttpResponse:
    """What is to be said of one field as it is typed (`?row=` where a row is edited); nothing is saved."""
    name = request.headers.get("HX-Trigger-Name", "")
    if name not in DestinationForm.base_fields:
        raise Http404
    row_id = request.GET.get("row", "")
    row = selectors.find(int(row_id)) if row_id.isascii() and row_id.isdigit() else None
    form = DestinationForm.posted(request.POST, form_environment(look_up_names=name == "destination"), row)
    form.is_valid()
    return render(request, "editing/field_findings.html", {"field": form[name]})


def _find(destination_id: int) -> Destination:
    row = selectors.find(destination_id)
    if row is None:
        raise Http404
    return row


def _show_form(
    request: HttpRequest, form: DestinationForm, row: Destination | None = None, **more: Any
) -> HttpResponse:
    context = {"form": form, "row": row, "known_sockets": known_sockets(), **more}
    return render(request, "dispatcher/form.html", context)


def _show_conflict(
    request: HttpRequest, form: DestinationForm, row: Destination, current: DestinationRow
) -> HttpResponse:
    """Both versions side by side; saved again, the typed one is guarded by what stands now."""
    wanted = form.values()
    form.renew_original(current)
    conflict = [
        {
            "column": column,
            "wanted": mine,
            "current": theirs,
            "differs": mine != theirs,
        }
        for (column, mine), theirs in zip(
            services.for_audit(wanted).items(), services.for_audit(current).values(), strict=True
        )
    ]
    return _show_form(request, form, row, conflict=conflict)


def _saved(request: HttpRequest, form: DestinationForm, text: str) -> HttpResponse:
    """Say what was saved and what the proxy will make of it, and go to the list."""
    messages.success(request, f"{text} Proxies use it after a reload.")
    for finding in form.all_warnings():
        messages.warning(request, finding.text)
    return redirect("dispatcher:list")


def _show_delete(
    request: HttpRequest, form: DeleteForm, row: Destination, changed: DestinationRow | None = None
) -> HttpResponse:
    context = {
        "form": form,
        "row": row,
        "changed": changed,
        "loss": loss_of(row),
        "set_name": selectors.set_names().get(row.setid, ""),
    }
    return render(request, "dispatcher/delete.html", context)
