"""The page that previews one call."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from dispatcher.routing.hashing import Request, request_of
from efcp.preview.calls.explanation import explain
from efcp.preview.calls.forms import DEFAULTS, CallForm, PastedForm
from efcp.preview.forms import ALGORITHM_HELP, ALGORITHMS, with_defaults
from efcp.preview.script_routes import route_choice
from efcp.preview.sources import sources
from efcp.proxies.context import watched_on

MAX_ADDRESS = 3_500
"""Characters; the server refuses a request line of more than 4,094 bytes."""


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def one_call(request: HttpRequest) -> HttpResponse:
    """Where one call would go, and why; the URL holds the whole question.

    A pasted request is too long for a URL: it is posted, changes nothing, and redirects to the URL with its
    parts.
    """
    offered = sources(watched_on(request))
    pasted = PastedForm(request.POST) if request.method == "POST" else PastedForm()
    if request.method == "POST" and pasted.is_valid():
        address = _address_of(request.POST, request_of(pasted.cleaned_data["pasted"]))
        if len(address) <= MAX_ADDRESS:
            return HttpResponseRedirect(address)
        pasted.add_error("pasted", "Its URIs and Call-ID are too long for a link.")
    choice = route_choice(request.POST or request.GET)
    defaults = DEFAULTS | {"source": offered[0].key} | choice.defaults()
    form = CallForm(with_defaults(request.POST or request.GET, defaults), offered)
    is_submitted = request.method != "POST" and len(request.GET) > 0
    context = {
        "form": form,
        "pasted": pasted,
        "route_choice": choice,
        "algorithms": [(number, label, ALGORITHM_HELP[number]) for number, label in ALGORITHMS.items()],
        "explained": explain(form.source(), form.question(choice.handling()))
        if is_submitted and form.is_valid()
        else None,
        "kept": [
            *((name, form[name].value() or "") for name in form.fields),
            ("route", form.data.get("route", "")),
        ],
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "preview/call.html", context, status=status)


def _address_of(posted: QueryDict, call: Request) -> str:
    """The page's URL with the other fields unchanged, and the call's parts out of the request."""
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
