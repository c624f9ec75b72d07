"""The page on which one call is previewed."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from dispatcher.routing.requests import Request, request_of
from efcp.preview.asking import with_defaults
from efcp.preview.calls.explaining import explain
from efcp.preview.calls.forms import ALGORITHMS, DEFAULTS, CallForm, PastedForm
from efcp.preview.picking.picked import picking
from efcp.preview.sources import sources
from efcp.proxies.context import watched_on

MAX_ADDRESS = 3_500
"""Characters; the server refuses a request line of more than 4,094 bytes."""


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def one_call(request: HttpRequest) -> HttpResponse:
    """Where one call would go, and why; all of the question stands in the address.

    A pasted request is too long for an address: it is posted, changes nothing, and leads to the address that
    holds what of it decides.
    """
    offered = sources(watched_on(request))
    pasted = PastedForm(request.POST) if request.method == "POST" else PastedForm()
    if request.method == "POST" and pasted.is_valid():
        address = _address_of(request.POST, request_of(pasted.cleaned_data["pasted"]))
        if len(address) <= MAX_ADDRESS:
            return HttpResponseRedirect(address)
        pasted.add_error("pasted", "Its URIs and Call-ID are too long for an address.")
    found = picking(request.POST or request.GET)
    defaults = DEFAULTS | {"source": offered[0].key} | found.defaults()
    form = CallForm(with_defaults(request.POST or request.GET, defaults), offered)
    asked_for = request.method != "POST" and len(request.GET) > 0
    context = {
        "form": form,
        "pasted": pasted,
        "picking": found,
        "algorithms": ALGORITHMS,
        "explained": explain(form.source(), form.asked(found.handling()))
        if asked_for and form.is_valid()
        else None,
        "kept": [(name, form.data.get(name, "")) for name in (*form.fields, "route")],
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "preview/call.html", context, status=status)


def _address_of(posted: QueryDict, call: Request) -> str:
    """The page's address with the other fields as they were, and the call's parts out of the request."""
    names = (*CallForm.base_fields, "source", "route")
    kept = {name: posted.get(name, "") for name in names if name in posted}
    parts = {
        "request_uri": call.request_uri,
        "from_uri": call.from_uri,
        "to_uri": call.to_uri,
        "call_id": call.call_id,
        "auth_user": call.auth_user or "",
    }
    return f"{reverse('preview:call')}?{urlencode({**kept, **parts})}"
