"""The page that writes an opensips.cfg from answers. Nothing is stored: it is asked, and answered."""

from dataclasses import replace

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from efcp.editing.listing import integer
from efcp.script.checking.check import check
from efcp.script.checking.tables import Tables
from efcp.script.knowledge.loading import knowledge_of
from efcp.script.language.files import read_text
from efcp.script.selectors import tables
from efcp.script.wizard.forms import MAX_GROUPS, MAX_NUMBER, Question
from efcp.script.wizard.selectors import (
    offered_dialplans,
    offered_sets,
    own_database,
    starting_answers,
)
from efcp.script.writing.answers import Answers
from efcp.script.writing.script import write


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


def _question(request: HttpRequest) -> tuple[Question, bool]:
    """The forms, and whether a script is asked for: a group that comes or goes is no answer yet."""
    if request.method != "POST":
        chosen = [integer(each, 0, MAX_NUMBER) for each in request.GET.getlist("set")[:MAX_GROUPS]]
        return Question.blank(starting_answers([each for each in chosen if each is not None])), False
    added = integer(request.POST.get("add"), 0, MAX_NUMBER) if "add" in request.POST else None
    if added is None and "remove" not in request.POST:
        return Question.posted(request.POST), True
    group = starting_answers([added]).groups[0] if added is not None else None
    return Question.changed(request.POST, group, request.POST.get("remove", "")), False


def _with_password(request: HttpRequest, question: Question) -> Answers:
    """The answers; the panel's own password only for an administrator who asks for it."""
    answers = question.value()
    if not answers.show_passwords:
        return answers
    if not request.user.has_perm("efcp.administer"):
        return replace(answers, show_passwords=False)
    if answers.database_url == own_database(with_password=False):
        return replace(answers, database_url=own_database(with_password=True))
    return answers


def _checked(text: str, answers: Answers, known: Tables) -> object:
    return check(read_text(text, "opensips.cfg"), knowledge_of(answers.version), known)


def _as_file(text: str) -> HttpResponse:
    headers = {"Content-Disposition": 'attachment; filename="opensips.cfg"'}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)
