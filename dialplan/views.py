"""The dialplan's pages. HTTP only: selectors.py reads, services.py writes."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dialplan import selectors, services
from dialplan.cases.running import (
    CaseEffect,
    CaseSnapshot,
    case_effects,
    case_snapshot,
    effect_of_deleting,
)
from dialplan.forms import RuleForm, RuleOfBatchForm
from dialplan.loaded import pending_rules
from dialplan.models import Rule
from dialplan.neighbours import order_of_dialplan
from dialplan.order import NoRoomError
from dialplan.selectors import RuleQuery
from dialplan.table import DIALPLAN_NAMES, RULES
from dialplan.translation.rules import RuleRow
from efcp.accounts.preferences import page_size_of
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.services import actor_of
from efcp.editing.batch import RowChange
from efcp.editing.export import EXPORT_KINDS, export_table
from efcp.editing.forms import RowForm
from efcp.editing.listing import SIZES, integer, matching_rows
from efcp.editing.repository import RowChangedError, RowGoneError
from efcp.editing.table import MAX_INT
from efcp.editing.views import Afterwards, TableEditor
from efcp.figures import counted
from efcp.kept import Blanks, kept_page
from efcp.proxies.context import watched_on

_SHOWN_CASES = 3
"""Failing test cases that are listed one by one after an edit."""


@require_safe
@permission_required("efcp.view", raise_exception=True)
def rule_list(request: HttpRequest) -> HttpResponse:
    """The rules by dialplan, in the order in which a proxy tries them, filtered and paged by the URL."""
    query = RuleQuery.parse(page_size_of(request) | request.GET.dict())
    watched = watched_on(request, selectors.LIST_VERSION.watched)

    def show(blanks: Blanks) -> str:
        page = selectors.list_page(query, watched)
        context = {"page": page, "sizes": SIZES, "names": selectors.names(), "export_kinds": EXPORT_KINDS}
        context |= {"menu": EDITOR.menu(request, query), **blanks.context}
        return render_to_string("dialplan/list.html", context, request)

    return kept_page(request, query.query_string(), selectors.LIST_VERSION.of(watched), show)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def pending(request: HttpRequest) -> HttpResponse:
    """What each proxy has not loaded yet: as a fragment, or as a page."""
    template = f"dialplan/pending{'' if request.headers.get('HX-Request') == 'true' else '_page'}.html"
    watched = watched_on(request, selectors.LIST_VERSION.watched)

    def show(blanks: Blanks) -> str:
        context = {"proxies": pending_rules(watched), **blanks.context}
        return render_to_string(template, context, request)

    return kept_page(request, template, selectors.LIST_VERSION.of(watched), show)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The rules that the list's filters match, as a CSV, JSON or XLSX file."""
    return export_table(RULES, EDITOR.matching(request), kind)


class RuleEditor(TableEditor[RuleRow]):
    """What is special to rules: each edit runs the dialplan's saved test cases before and after it."""

    repository = services.REPOSITORY
    form = RuleForm
    list_page = "dialplan:list"
    reload_page = "operations_dialplan:reload"
    templates = "dialplan"
    optional_columns = (
        ("priority", "Priority"),
        ("substitution", "Substitution"),
        ("replacement", "Replacement"),
        ("attributes", "Attributes"),
        ("when", "When"),
    )
    after_save = "Takes effect on proxies after a dialplan reload (dp_reload)."
    until_reload = "Takes effect on proxies after a dialplan reload."

    def initial(self, request: HttpRequest) -> Mapping[str, Any]:
        """`?dpid=` fills the dialplan, whose next free priority is filled in too."""
        given = integer(request.GET.get("dpid"), 0, MAX_INT)
        dpid = 1 if given is None else given
        return {"dpid": dpid, "pr": selectors.next_priority(dpid), **self.edit_initial(request)}

    def edit_initial(self, request: HttpRequest) -> Mapping[str, Any]:
        """The recurrence that the form for it has written, as it comes back in the address."""
        text = request.GET.get("timerec", "")
        return {"timerec": text} if text else {}

    def clone_changes(self, source: RuleRow) -> Mapping[str, Any]:
        """A copy comes right after its source."""
        return {"pr": selectors.next_priority(source.dpid, source.pr)}

    def before_write(self, *rows: RuleRow) -> Afterwards:
        """Report the test cases that passed before the write and fail after it."""
        before = case_snapshot(*(row.dpid for row in rows))
        return lambda request: _report_effect(request, before.now())

    def batch_form(self) -> RuleOfBatchForm:
        """The form that checks many rows."""
        return RuleOfBatchForm({})

    def batch_effect(self, changes: Sequence[RowChange[RuleRow]]) -> list[dict[str, Any]]:
        """Which test cases fail after the changes, and which pass again."""
        return case_effects(changes)

    def matching(self, request: HttpRequest) -> QuerySet[Rule]:
        """The rules that the list shows."""
        return matching_rows(RULES, RuleQuery.parse(request.GET.dict()))

    def form_context(self, _form: RowForm[RuleRow], stored: RuleRow | None) -> Mapping[str, Any]:
        """Where the page tries an input, and runs the test cases with the unsaved rule."""
        query = f"?row={stored.id}" if stored else ""
        return {
            "try_address": reverse("dialplan:try") + query,
            "cases_address": reverse("dialplan:cases-with-rule") + query,
        }

    def delete_context(self, stored: RuleRow) -> Mapping[str, Any]:
        """The test cases without the rule."""
        return {"effect": effect_of_deleting(stored)}

    def to_list(self, row: RuleRow) -> HttpResponse:
        """Go to the rule's dialplan."""
        return _to_dialplan(row.dpid)


EDITOR = RuleEditor()


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def set_disabled(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Have proxies load the rule (`disabled=0`), or leave it out (1)."""
    before = case_snapshot(EDITOR.find(rule_id).dpid)
    try:
        disabled = request.POST.get("disabled") == "1"
        row = services.set_disabled(rule_id, disabled, actor_of(request), token_in(request))
    except RowGoneError:
        raise Http404 from None
    except StaleFormError as stale:
        messages.error(request, stale.text)
        return _to_dialplan(EDITOR.find(rule_id).dpid)
    except RowChangedError as error:
        messages.error(request, "Not saved: another user just changed the rule. Review it.")
        return _to_dialplan(error.current.dpid)
    done = "is disabled" if row.disabled else "is enabled"
    messages.success(request, f"{row.match_exp} {done}. Takes effect on proxies after a dialplan reload.")
    return _after_write(request, row.dpid, before)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def move(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Move the rule right before (`before=ID`) or behind (`behind=ID`) another of its dialplan."""
    row = EDITOR.find(rule_id)
    behind = "behind" in request.POST
    target = request.POST.get("behind" if behind else "before", "")
    if not (target.isascii() and target.isdigit() and len(target) <= 10):
        raise Http404
    before = case_snapshot(row.dpid)
    try:
        actor, token = actor_of(request), token_in(request)
        count = services.move(rule_id, int(target), actor, behind=behind, original=token)
    except RowGoneError:
        raise Http404 from None
    except StaleFormError as stale:
        messages.error(request, stale.text)
        return _to_dialplan(row.dpid)
    except NoRoomError as error:
        messages.error(request, f"Not moved: {error}")
        return _to_dialplan(row.dpid)
    others = f", and {count - 1} rules after it were renumbered" if count > 1 else ""
    messages.success(request, f"{row.match_exp} moved{others}. Takes effect on proxies after a reload.")
    return _after_write(request, row.dpid, before)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def separate(request: HttpRequest, dpid: int) -> HttpResponse:
    """Give rules of one priority priorities of their own, in the order in which the list shows them."""
    before = case_snapshot(dpid)
    try:
        count = services.separate(dpid, actor_of(request))
    except (NoRoomError, services.TooManyToSeparateError) as error:
        messages.error(request, f"Not changed: {error}")
        return _to_dialplan(dpid)
    changed = counted(count, "new priority", "new priorities")
    messages.success(request, f"{changed}. Takes effect on proxies after a dialplan reload.")
    return _after_write(request, dpid, before)


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
    return DIALPLAN_NAMES.page(request, dpid)


def _to_dialplan(dpid: int) -> HttpResponse:
    return redirect(f"{reverse('dialplan:list')}?dpid={dpid}")


def _after_write(request: HttpRequest, dpid: int, before: CaseSnapshot) -> HttpResponse:
    """Go to the dialplan, and say which test cases fail now that passed `before`."""
    _report_effect(request, before.now())
    return _to_dialplan(dpid)


def _report_effect(request: HttpRequest, effect: CaseEffect) -> None:
    broken = [each for each in effect.checked if each.case.pk in effect.broken]
    for each in broken[:_SHOWN_CASES]:
        messages.error(request, f"{each.words} It passed before.")
    if len(broken) > _SHOWN_CASES:
        messages.error(request, f"{len(broken) - _SHOWN_CASES} more test cases fail that passed before.")
    if others := effect.failing - len(broken):
        cases = "1 test case fails" if others == 1 else f"{others} test cases fail"
        messages.warning(request, f"{cases} as before.")
