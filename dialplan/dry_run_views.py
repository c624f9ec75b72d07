"""The dry run of an input: on the table, with an unsaved rule, and on the proxies."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST, require_safe

from dialplan.dry_run import MAX_INPUT, DryRun, try_input
from dialplan.forms import RuleForm
from dialplan.proxy_check import answers_to, ask_proxies, unsent_answers
from dialplan.selectors import TooManyRulesError, requested_row
from dialplan.translation.rules import RuleRow
from efcp.audit.services import actor_of
from efcp.editing.listing import integer
from efcp.editing.table import MAX_INT
from efcp.proxies.models import SharedQuestion
from efcp.proxies.selectors import proxies_for_all
from efcp.proxies.shared_questions import QuestionsBusyError, is_open

MAX_PROXIES = 200
"""Proxies that are asked at once."""


@require_POST
@permission_required("efcp.view", raise_exception=True)
def try_rules(request: HttpRequest) -> HttpResponse:
    """What becomes of an input, with the form's rule in its place; posted as that form, nothing is saved."""
    dpid, text = _question(request.POST)
    if dpid is None or not text:
        return HttpResponse()
    row = requested_row(request.GET)
    unsaved = None
    if "match_exp" in request.POST:
        form = RuleForm(request.POST, stored=row)
        if not form.is_valid():
            return _show(request, dpid, DryRun(text, "Fix the errors in the rule first.", is_certain=False))
        unsaved = form.row()
    return _show(request, dpid, _try(dpid, text, unsaved, row.id if row else None))


@require_POST
@permission_required("efcp.view", raise_exception=True)
def ask(request: HttpRequest) -> HttpResponse:
    """What the proxies make of an input, beside what the table would; asked by dp_translate."""
    dpid, text = _question(request.POST)
    if dpid is None or not text:
        return HttpResponse()
    dry_run = _try(dpid, text, None, None)
    proxies = proxies_for_all()[:MAX_PROXIES]
    context: dict[str, object]
    if dry_run.crashes:
        context = {"answers": unsent_answers(proxies)}
    else:
        try:
            context = _answers(ask_proxies(proxies, dpid, dry_run, actor_of(request).name))
        except QuestionsBusyError as error:
            context = {"answers": [], "problem": str(error)}
    return _show(request, dpid, dry_run, "dialplan/dry_run_with_answers.html", **context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def answers(request: HttpRequest, question_id: int) -> HttpResponse:
    """What the proxies answered so far: a fragment that asks again while answers are awaited, or a page."""
    question = get_object_or_404(SharedQuestion, pk=question_id, key__startswith="translation:")
    is_fragment = request.headers.get("HX-Request") == "true"
    template = "dialplan/proxy_answers.html" if is_fragment else "dialplan/proxy_answers_page.html"
    return render(request, template, _answers(question))


def _answers(question: SharedQuestion) -> dict[str, object]:
    return {"question": question, "answers": answers_to(question), "is_open": is_open(question)}


def _question(posted: QueryDict) -> tuple[int | None, str]:
    """The dialplan and the input; a rule's form says its own dialplan."""
    dpid = integer(posted.get("dpid") or posted.get("of"), 0, MAX_INT)
    return dpid, posted.get("input", "")[:MAX_INPUT]


def _try(dpid: int, text: str, unsaved: RuleRow | None, rule_id: int | None) -> DryRun:
    try:
        return try_input(dpid, text, unsaved, rule_id)
    except TooManyRulesError as error:
        return DryRun(text, str(error), is_certain=False)


def _show(
    request: HttpRequest, dpid: int, dry_run: DryRun, template: str = "dialplan/dry_run.html", **more: object
) -> HttpResponse:
    """The answer as a fragment, or without htmx as a page around it."""
    context = {"dpid": dpid, "dry_run": dry_run, "answer": template, **more}
    is_fragment = request.headers.get("HX-Request") == "true"
    return render(request, template if is_fragment else "dialplan/dry_run_page.html", context)
