"""The dialplan's pages. HTTP only: what is read stands in selectors.py, what is written in services.py."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dialplan import selectors, services
from dialplan.cases.effects import CaseEffect, Standing, effect_of_deleting, standing
from dialplan.forms import DeleteForm, NameForm, RuleForm
from dialplan.listing import MAX_DPID, SIZES, ListQuery
from dialplan.loaded import pending_rules
from dialplan.models import Rule
from dialplan.neighbours import order_of_dialplan
from dialplan.order import NoRoomError
from dialplan.translation.rules import RuleRow
from efcp.accounts.form_recovery import recover_form
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.selectors import find_record
from efcp.audit.services import actor_of
from efcp.editing.listing import integer
from efcp.proxies.context import watched_on

_SHOWN_CASES = 3
"""Failing test cases that are told one by one after an edit."""


@require_safe
@permission_required("efcp.view", raise_exception=True)
def rule_list(request: HttpRequest) -> HttpResponse:
    """The rules by dialplan, in the order in which a proxy tries them, filtered and paged by the URL."""
    page = selectors.list_page(ListQuery.parse(request.GET.dict()), watched_on(request))
    return render(request, "dialplan/list.html", {"page": page, "sizes": SIZES, "names": selectors.names()})


@require_safe
@permission_required("efcp.view", raise_exception=True)
def pending(request: HttpRequest) -> HttpResponse:
    """What each proxy has not loaded yet: as a fragment, or as a page."""
    is_fragment = request.headers.get("HX-Request") == "true"
    context = {"proxies": pending_rules(watched_on(request))}
    return render(request, f"dialplan/pending{'' if is_fragment else '_page'}.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
def add(request: HttpRequest) -> HttpResponse:
    """Add a rule; `?dpid=` fills the dialplan."""
    if request.method != "POST":
        dpid = integer(request.GET.get("dpid"), 0, MAX_DPID)
        dpid = 1 if dpid is None else dpid
        initial = {"dpid": dpid, "pr": selectors.next_priority(dpid)} | _recurrence_in(request)
        return _show_form(request, RuleForm.to_add(initial, recover_form(request)))
    form = RuleForm(request.POST)
    if not form.is_valid():
        return _show_form(request, form)
    values = form.values()
    before = standing(values.dpid)
    services.add(values, actor_of(request), form.why())
    return _saved(request, form, f"{values.match_exp} was added to dialplan {values.dpid}.", before)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
def edit(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Edit a rule; only what was changed is written, and only if nobody else changed it meanwhile."""
    row = _find(rule_id)
    if request.method != "POST":
        form = RuleForm.to_edit(row, recover_form(request))
        form.initial = {**form.initial, **_recurrence_in(request)}
        return _show_form(request, form, row)
    form = RuleForm(request.POST, row=row)
    if not form.is_valid():
        return _show_form(request, form, row)
    if not form.has_signed_original():
        current = RuleRow.of(row)
        form.renew_original(current)
        return _show_form(request, form, row, current=current)
    before = standing(row.dpid, form.values().dpid)
    try:
        services.update(row.pk, form.seen(), form.values(), actor_of(request), form.why())
    except services.RuleGoneError:
        raise Http404 from None
    except services.ChangedMeanwhileError as error:
        form.renew_original(error.current)
        return _show_form(request, form, row, current=error.current)
    if form.seen() == form.values():
        messages.info(request, "Nothing was changed.")
        return redirect("dialplan:list")
    return _saved(request, form, f"{form.values().match_exp} was saved.", before)


@require_safe
@permission_required("efcp.administer", raise_exception=True)
def clone(request: HttpRequest, rule_id: int) -> HttpResponse:
    """The form to add a rule, filled with the values of another."""
    row = _find(rule_id)
    return _show_form(request, RuleForm.to_clone(row, selectors.next_priority(row.dpid, row.pr)))


@require_safe
@permission_required("efcp.administer", raise_exception=True)
def restore(request: HttpRequest, record_id: int) -> HttpResponse:
    """The form filled with the former values that an audit record keeps, to edit or to add again."""
    record = find_record(record_id)
    if record is None or record.subject_kind != "dialplan" or not record.before:
        raise Http404
    row = selectors.find(int(record.subject_id))
    return _show_form(request, RuleForm.to_restore(record.before, row), row)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
def delete(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Ask, then delete."""
    row = _find(rule_id)
    form = DeleteForm(request.POST or None, row=row)
    changed = None
    if request.method == "POST" and not form.has_signed_original():
        changed = RuleRow.of(row)
        form = DeleteForm(row=row)
    elif request.method == "POST" and form.is_valid():
        before = standing(row.dpid)
        try:
            services.delete(row.pk, form.seen(), actor_of(request), form.cleaned_data["reason"])
        except services.RuleGoneError:
            raise Http404 from None
        except services.ChangedMeanwhileError as error:
            changed = error.current
            form = DeleteForm(row=row)
        else:
            text = f"{row.match_exp} was deleted from dialplan {row.dpid}. Proxies keep it until they reload."
            messages.success(request, text)
            return _to_dialplan(request, row.dpid, before)
    context = {"form": form, "row": row, "changed": changed, "effect": effect_of_deleting(row)}
    return render(request, "dialplan/delete.html", context)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def set_disabled(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Have proxies load the rule (`disabled=0`), or leave it out (1)."""
    before = standing(_find(rule_id).dpid)
    try:
        disabled = request.POST.get("disabled") == "1"
        row = services.set_disabled(rule_id, disabled, actor_of(request), token_in(request))
    except services.RuleGoneError:
        raise Http404 from None
    except StaleFormError as stale:
        messages.error(request, stale.text)
        return _to_dialplan(request, _find(rule_id).dpid)
    except services.ChangedMeanwhileError as error:
        messages.error(request, "Nothing was saved: somebody changed the rule just now. Look at it again.")
        return _to_dialplan(request, error.current.dpid)
    done = "is disabled" if row.disabled else "is enabled"
    messages.success(request, f"{row.match_exp} {done}. Proxies know it after a reload of the dialplan.")
    return _to_dialplan(request, row.dpid, before)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def move(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Move the rule right before (`before=ID`) or behind (`behind=ID`) another of its dialplan."""
    row = _find(rule_id)
    behind = "behind" in request.POST
    target = request.POST.get("behind" if behind else "before", "")
    if not (target.isascii() and target.isdigit() and len(target) <= 10):
        raise Http404
    before = standing(row.dpid)
    try:
        actor, token = actor_of(request), token_in(request)
        count = services.move(row.pk, int(target), actor, behind=behind, original=token)
    except services.RuleGoneError:
        raise Http404 from None
    except StaleFormError as stale:
        messages.error(request, stale.text)
        return _to_dialplan(request, row.dpid)
    except NoRoomError as error:
        messages.error(request, f"Nothing was moved: {error}")
        return _to_dialplan(request, row.dpid)
    others = f", and {count - 1} behind it got a new priority" if count > 1 else ""
    messages.success(request, f"{row.match_exp} was moved{others}. Proxies know it after a reload.")
    return _to_dialplan(request, row.dpid, before)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def separate(request: HttpRequest, dpid: int) -> HttpResponse:
    """Give rules of one priority priorities of their own, in the order in which the list shows them."""
    before = standing(dpid)
    try:
        count = services.separate(dpid, actor_of(request))
    except (NoRoomError, services.TooManyToSeparateError) as error:
        messages.error(request, f"Nothing was changed: {error}")
        return _to_dialplan(request, dpid)
    messages.success(request, f"New priorities: {count}. Proxies know them after a reload of the dialplan.")
    return _to_dialplan(request, dpid, before)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def order(request: HttpRequest, dpid: int) -> HttpResponse:
    """What of the order of a dialplan's rules is wrong: as a fragment, or as a page."""
    is_fragment = request.headers.get("HX-Request") == "true"
    found = order_of_dialplan(dpid)
    certain = [each for each in found.never_reached if not each.rests_on_order] if found else []
    context = {"dpid": dpid, "order": found, "certain": certain}
    return render(request, f"dialplan/order{'' if is_fragment else '_page'}.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
def name_dialplan(request: HttpRequest, dpid: int) -> HttpResponse:
    """Give a dialplan a name."""
    stale: StaleFormError | None = None
    form = NameForm(request.POST or None, initial={"name": services.named_dialplan(dpid).name})
    if request.method == "POST" and form.is_valid():
        try:
            services.name_dialplan(dpid, form.cleaned_data["name"], actor_of(request), token_in(request))
        except StaleFormError as error:
            stale = error
        else:
            return redirect("dialplan:list")
    context = {"form": form, "dpid": dpid, "stored": services.named_dialplan(dpid), "stale": stale}
    return render(request, "dialplan/name.html", context, status=409 if stale else 200)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def check(request: HttpRequest) -> HttpResponse:
    """What is to be said of one field as it is typed (`?row=` where a row is edited); nothing is saved."""
    name = request.headers.get("HX-Trigger-Name", "")
    if name not in RuleForm.base_fields:
        raise Http404
    form = RuleForm(request.POST, row=selectors.row_asked_for(request.GET))
    form.is_valid()
    return render(request, "editing/field_findings.html", {"field": form[name]})


def _recurrence_in(request: HttpRequest) -> dict[str, str]:
    """The recurrence that the form for it has written, as it comes back in the address."""
    text = request.GET.get("timerec", "")
    return {"timerec": text} if text else {}


def _find(rule_id: int) -> Rule:
    row = selectors.find(rule_id)
    if row is None:
        raise Http404
    return row


def _show_form(request: HttpRequest, form: RuleForm, row: Rule | None = None, **more: Any) -> HttpResponse:
    asked_row = f"?row={row.pk}" if row else ""
    context = {
        "form": form,
        "row": row,
        "try_address": reverse("dialplan:try") + asked_row,
        "cases_address": reverse("dialplan:cases-with-rule") + asked_row,
        **more,
    }
    return render(request, "dialplan/form.html", context, status=422 if form.errors else 200)


def _saved(request: HttpRequest, form: RuleForm, text: str, before: Standing) -> HttpResponse:
    """Say what was saved and what the proxy will make of it, and go to the dialplan."""
    messages.success(request, f"{text} Proxies use it after a reload of the dialplan (dp_reload).")
    for finding in form.all_warnings():
        messages.warning(request, finding.text)
    return _to_dialplan(request, form.values().dpid, before)


def _to_dialplan(request: HttpRequest, dpid: int, before: Standing | None = None) -> HttpResponse:
    """Go to the dialplan; after a write, say which test cases fail now that passed `before`."""
    if before is not None:
        _tell_effect(request, before.now())
    return redirect(f"{reverse('dialplan:list')}?dpid={dpid}")


def _tell_effect(request: HttpRequest, effect: CaseEffect) -> None:
    broken = [each for each in effect.checked if each.case.pk in effect.broken]
    for each in broken[:_SHOWN_CASES]:
        messages.error(request, f"{each.words} It passed before.")
    if len(broken) > _SHOWN_CASES:
        messages.error(request, f"{len(broken) - _SHOWN_CASES} more test cases fail that passed before.")
    if others := effect.failing - len(broken):
        cases = "1 test case fails" if others == 1 else f"{others} test cases fail"
        messages.warning(request, f"{cases} as before.")
