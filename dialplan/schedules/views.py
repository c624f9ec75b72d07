"""When a rule applies: in words while it is typed, and written by a form."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from dialplan.schedules.forms import ScheduleForm, zones
from dialplan.schedules.telling import told
from efcp.editing.listing import integer
from efcp.editing.table import MAX_INT

MAX_TEXT = 255


@require_POST
@permission_required("efcp.view", raise_exception=True)
def words(request: HttpRequest) -> HttpResponse:
    """What a recurrence means, as it is typed; nothing where it does not parse: its field says that."""
    text = request.POST.get("timerec", "")
    return render(
        request, "dialplan/schedule_words.html", {"told": told(text) if len(text) <= MAX_TEXT else None}
    )


@require_safe
@permission_required("efcp.view", raise_exception=True)
def schedule(request: HttpRequest) -> HttpResponse:
    """Write a recurrence; `?rule=` or `?dpid=` say for which rule, or where a new one is to be added."""
    asked = "begins" in request.GET
    form = ScheduleForm(request.GET if asked else None, initial=ScheduleForm.defaults())
    rule = integer(request.GET.get("rule"), 1, MAX_INT)
    dpid = integer(request.GET.get("dpid"), 0, MAX_INT)
    context: dict[str, object] = {"form": form, "rule": rule, "dpid": dpid, "zones": zones()}
    if asked and form.is_valid():
        text = form.cleaned_data["text"]
        carried = {"timerec": text} | ({"dpid": dpid} if dpid is not None else {})
        context |= {"text": text, "told": told(text), "carried": urlencode(carried)}
    return render(request, "dialplan/schedule.html", context, status=422 if asked and form.errors else 200)
