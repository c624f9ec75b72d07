"""The test cases of a dialplan: what each gives now, or with a rule that is not saved."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from dialplan.cases import services
from dialplan.cases.forms import CaseForm
from dialplan.cases.running import effect_of, run_cases
from dialplan.cases.selectors import case_of, cases_of
from dialplan.forms import RuleForm
from dialplan.models import SavedCase
from dialplan.selectors import names, requested_row
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.services import actor_of


@require_safe
@permission_required("efcp.view", raise_exception=True)
def cases(request: HttpRequest, dpid: int) -> HttpResponse:
    """The test cases of a dialplan with what each gives on the table as it is."""
    return _show(request, dpid, CaseForm(), status=200)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def save(request: HttpRequest, dpid: int) -> HttpResponse:
    """Save a case; one of the same input is changed."""
    form = CaseForm(request.POST)
    if not form.is_valid():
        return _show(request, dpid, form, status=422)
    try:
        text, expected = form.cleaned_data["input"], form.expected_output()
        services.save(dpid, text, expected, actor_of(request), token_in(request))
    except StaleFormError as stale:
        form.add_error(None, f"{stale.text} A test case for this input exists: save again to replace it.")
        return _show(request, dpid, form, status=409, former=case_of(dpid, text))
    except services.TooManyCasesError as error:
        form.add_error(None, str(error))
        return _show(request, dpid, form, status=422)
    messages.success(request, f"Test case “{form.cleaned_data['input']}” saved.")
    return redirect("dialplan:cases", dpid)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def delete(request: HttpRequest, case_id: int) -> HttpResponse:
    """Delete a case."""
    case = get_object_or_404(SavedCase, pk=case_id)
    try:
        services.delete(case, actor_of(request), token_in(request))
    except StaleFormError as stale:
        messages.error(request, stale.text)
        return redirect("dialplan:cases", case.dpid)
    messages.success(request, f"Test case “{case.input}” deleted.")
    return redirect("dialplan:cases", case.dpid)


@require_POST
@permission_required("efcp.view", raise_exception=True)
def with_rule(request: HttpRequest) -> HttpResponse:
    """What the test cases would give with the form's rule (`?row=` where one is edited); nothing is saved."""
    row = requested_row(request.GET)
    form = RuleForm(request.POST, stored=row)
    if not form.is_valid():
        return HttpResponse()
    values = form.row()
    context = {"dpid": values.dpid, "effect": effect_of(values, row)}
    return render(request, "dialplan/cases/with_rule.html", context)


def _show(
    request: HttpRequest, dpid: int, form: CaseForm, status: int, former: SavedCase | None = None
) -> HttpResponse:
    context = {
        "dpid": dpid,
        "name": names().get(dpid, ""),
        "form": form,
        "former": former,
        "checked": run_cases(cases_of(dpid)),
    }
    is_fragment = request.headers.get("HX-Request") == "true"
    return render(request, f"dialplan/cases/{'card' if is_fragment else 'page'}.html", context, status=status)
