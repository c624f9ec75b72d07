"""The pages that check an opensips.cfg, and write one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from django.contrib.auth.decorators import permission_required
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from efcp.audit.services import actor_of
from efcp.editing.listing import integer
from efcp.figures import counted
from efcp.script.checking.check import as_json, check
from efcp.script.checking.overview import TableFacts, overview
from efcp.script.findings import ScriptFinding, ScriptSeverity
from efcp.script.forms import MAX_BYTES, MAX_GROUPS, MAX_NUMBER, CheckForm, WriterForms
from efcp.script.knowledge.facts import knowledge_of
from efcp.script.language.reading import read_text
from efcp.script.lines import numbered_lines
from efcp.script.script_routes import script_routes
from efcp.script.selectors import (
    offered_dialplans,
    offered_sets,
    own_database,
    starting_answers,
    tables,
)
from efcp.script.services import keep
from efcp.script.writing.answers import Answers
from efcp.script.writing.script import write


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
@csrf_exempt
def check_page(request: HttpRequest) -> HttpResponse:
    """Take a script. The token is checked within: that reads the body, and only here it is known where to."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > 2 * MAX_BYTES:
        form = CheckForm({})
        form.add_error(None, f"More than {MAX_BYTES // 10**6} MB can't be checked here.")
        return render(request, "script/check.html", {"form": form}, status=413)
    request.upload_handlers = [TemporaryFileUploadHandler(request)]
    return _check(request)


@csrf_protect
def _check(request: HttpRequest) -> HttpResponse:
    """Check a script; only its routes are kept, if asked for. `?as=json` answers JSON."""
    form = CheckForm(request.POST, request.FILES) if request.method == "POST" else CheckForm()
    if not form.is_valid():
        return render(request, "script/check.html", {"form": form}, status=422 if form.errors else 200)
    text, name = form.script()
    script = read_text(text, name)
    knowledge, known = knowledge_of(form.cleaned_data["version"]), form.with_memory(tables())
    checked = check(script, knowledge, known)
    if request.GET.get("as") == "json":
        return JsonResponse(as_json(checked, script.skipped))
    routes = script_routes(overview(script, knowledge, known))
    kept = form.cleaned_data["keep"] and request.user.has_perm("efcp.operate")
    if kept:
        keep(form.script_name(), routes, actor_of(request))
    context = {
        "form": form,
        "routes": routes,
        "kept": kept,
        "checked": True,
        "findings": checked.findings,
        "accepted": checked.accepted,
        "counts_text": _counts(checked.findings),
        "skipped": script.skipped,
        "lines": numbered_lines(text, name, checked.findings),
    }
    return render(request, "script/check.html", context)


def _counts(findings: Sequence[ScriptFinding]) -> str:
    """How many there are of each severity: "1 error, 0 warnings, 2 hints"."""
    found = Counter(finding.severity for finding in findings)
    return ", ".join(counted(found[severity], severity.value) for severity in ScriptSeverity)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def write_page(request: HttpRequest) -> HttpResponse:
    """Take the answers and show the script; `?set=1&set=2` begins with a group for each of these sets."""
    known = tables()
    question, is_answered = _question(request)
    context = {
        "question": question,
        "sets": offered_sets(known),
        "dialplans": offered_dialplans(known),
        "may_have_more": len(question.groups) < MAX_GROUPS,
    }
    if is_answered and question.is_valid():
        answers = _with_password(request, question)
        written = write(answers, known)
        question.refuse(written.refusals)
        if written.lines and "download" in request.POST:
            return _as_file(written.text)
        if written.lines:
            context |= {"written": written, "checked": _checked(written.text, answers, known)}
    status = 422 if question.is_refused() else 200
    fragment = "script/written.html" if request.headers.get("HX-Target") == "written" else "script/write.html"
    return render(request, fragment, context, status=200 if request.headers.get("HX-Target") else status)


def _question(request: HttpRequest) -> tuple[WriterForms, bool]:
    """The forms, and whether a script is requested: adding or removing a group is no request yet."""
    if request.method != "POST":
        chosen = [integer(each, 0, MAX_NUMBER) for each in request.GET.getlist("set")[:MAX_GROUPS]]
        return WriterForms.blank(starting_answers([each for each in chosen if each is not None])), False
    added = integer(request.POST.get("add"), 0, MAX_NUMBER) if "add" in request.POST else None
    if added is None and "remove" not in request.POST:
        return WriterForms.posted(request.POST), True
    group = starting_answers([added]).groups[0] if added is not None else None
    return WriterForms.changed(request.POST, group, request.POST.get("remove", "")), False


def _with_password(request: HttpRequest, question: WriterForms) -> Answers:
    """The answers; the panel's own password only for an administrator who asks for it."""
    answers = question.value()
    if not answers.show_passwords:
        return answers
    if not request.user.has_perm("efcp.administer"):
        return replace(answers, show_passwords=False)
    if answers.database_url == own_database(with_password=False):
        return replace(answers, database_url=own_database(with_password=True))
    return answers


def _checked(text: str, answers: Answers, known: TableFacts) -> object:
    return check(read_text(text, "opensips.cfg"), knowledge_of(answers.version), known)


def _as_file(text: str) -> HttpResponse:
    headers = {"Content-Disposition": 'attachment; filename="opensips.cfg"'}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)
