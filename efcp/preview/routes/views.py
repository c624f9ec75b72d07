"""The route map, and the path of a number through dialplan and dispatcher."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.services import actor_of
from efcp.editing.listing import integer
from efcp.preview.asking import with_defaults
from efcp.preview.calls.explaining import Explained, explain
from efcp.preview.calls.forms import DEFAULTS, MAX_SET, CallForm
from efcp.preview.models import Lead
from efcp.preview.picking.picked import handling_of_route
from efcp.preview.routes import services
from efcp.preview.routes.forms import LeadForm, TraceForm
from efcp.preview.routes.selectors import Leading, route_map
from efcp.preview.routes.tracing import follow
from efcp.preview.sources import sources
from efcp.proxies.context import watched_on

_TRACE_DEFAULTS = {"dpid": "1", "number": "", "domain": "example.org", "failures": "0"}


@require_safe
@permission_required("efcp.view", raise_exception=True)
def routes(request: HttpRequest) -> HttpResponse:
    """Which dialplan leads where; with `number`, its path from there; with `of`, the lead to be said."""
    form = TraceForm(with_defaults(request.GET, _TRACE_DEFAULTS))
    of = integer(request.GET.get("of"), 0, MAX_SET)
    lead = {"dpid": of, "attributes": request.GET.get("attributes", "")}
    context: dict[str, object] = {
        "form": form,
        "lead_form": LeadForm(initial=lead),
        "is_saying": of is not None,
    }
    if "number" in request.GET and form.is_valid():
        trace = follow(form.cleaned_data["dpid"], form.cleaned_data["number"])
        context |= {"trace": trace}
        if trace.leading and trace.leading.setid is not None:
            call_form, explained = _call(request, form, trace.leading, trace.leading.setid, trace.number)
            context |= {"call_form": call_form, "explained": explained}
    return _show(request, context)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def save(request: HttpRequest) -> HttpResponse:
    """Say where a dialplan leads; what was said of it before is replaced."""
    form, former = LeadForm(request.POST), None
    if form.is_valid():
        data = form.cleaned_data
        try:
            actor, token = actor_of(request), token_in(request)
            lead = services.save(data["dpid"], data["attributes"], form.values(), actor, token)
        except StaleFormError as stale:
            former = Lead.objects.filter(dpid=data["dpid"], attributes=data["attributes"]).first()
            now = f"It is mapped to {former.where} now: save again to replace that." if former else ""
            form.add_error(None, f"{stale.text} {now}")
        except services.TooManyLeadsError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Dialplan {lead.dpid} leads to {lead.where}.")
            return redirect("preview:routes")
    return _show(
        request, {"form": TraceForm(_TRACE_DEFAULTS), "lead_form": form, "former_lead": former}, status=422
    )


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def delete(request: HttpRequest, lead_id: int) -> HttpResponse:
    """Forget where a dialplan leads."""
    lead = get_object_or_404(Lead, pk=lead_id)
    try:
        services.delete(lead, actor_of(request), token_in(request))
    except StaleFormError as stale:
        messages.error(request, stale.text)
        return redirect("preview:routes")
    messages.success(request, f"It is forgotten that dialplan {lead.dpid} leads to {lead.where}.")
    return redirect("preview:routes")


def _call(
    request: HttpRequest, form: TraceForm, leading: Leading, setid: int, user: str
) -> tuple[CallForm, Explained | None]:
    """The call to the translated number, as the page of one call explains it."""
    offered = sources(watched_on(request))
    uri = f"sip:{user}@{form.cleaned_data['domain']}"
    asked = {
        "source": request.GET.get("source", offered[0].key),
        "setid": str(setid),
        "algorithm": str(leading.algorithm),
        "flags": leading.flags,
        "request_uri": uri,
        "to_uri": uri,
        "failures": str(form.cleaned_data["failures"]),
    }
    call_form = CallForm(DEFAULTS | asked, offered)
    if not call_form.is_valid():
        return call_form, None
    handling = handling_of_route(leading.route, setid)
    return call_form, explain(call_form.source(), call_form.asked(handling))


def _show(request: HttpRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
    return render(request, "preview/routes.html", context | {"branches": route_map()}, status=status)
