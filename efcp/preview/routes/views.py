"""Pages of the route map, and of a number's path through dialplan and dispatcher."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from dialplan.dry_run import MAX_INPUT
from dispatcher.routing.selection import parse_flags
from dispatcher.templatetags.sets import NAMED_SETS
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.services import actor_of
from efcp.editing.listing import integer
from efcp.preview.calls.explanation import CallExplanation, explain
from efcp.preview.calls.forms import DEFAULTS, MAX_PART, CallForm
from efcp.preview.forms import ALGORITHMS, FLAG_CHOICES, MAX_SET, FlagsInput, with_defaults
from efcp.preview.models import DialplanTarget, TargetKind
from efcp.preview.routes import services
from efcp.preview.routes.selectors import DEFAULT_FLAGS, ResolvedTarget, Trace, follow, route_map
from efcp.preview.script_routes import handling_of_route
from efcp.preview.sources import sources
from efcp.proxies.context import watched_on

_TRACE_DEFAULTS = {"dpid": "1", "number": "", "domain": "example.org", "failures": "0"}


class DialplanTargetForm(forms.Form):
    """Where a dialplan's translations lead. Its ids differ from those of the TraceForm on the same page."""

    dpid = forms.IntegerField(label="Dialplan", min_value=0, max_value=MAX_SET)
    attributes = forms.CharField(
        label="Attributes",
        max_length=255,
        required=False,
        help_text="Attributes of the matched rule. Blank: any not mapped separately.",
    )
    target = forms.ChoiceField(
        label="Target", choices=TargetKind.choices, initial=TargetKind.SET, required=False
    )
    setid = forms.IntegerField(
        label="Set",
        min_value=0,
        max_value=MAX_SET,
        required=False,
        widget=forms.NumberInput({"list": NAMED_SETS}),
    )
    next_dpid = forms.IntegerField(label="Other dialplan", min_value=0, max_value=MAX_SET, required=False)
    algorithm = forms.TypedChoiceField(choices=list(ALGORITHMS.items()), coerce=int)
    flags = forms.CharField(
        max_length=8, required=False, initial=DEFAULT_FLAGS, widget=FlagsInput(choices=FLAG_CHOICES)
    )
    route = forms.CharField(
        label="Route", max_length=64, required=False, help_text="The script's route, e.g. to_media_vbb."
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, auto_id="lead_%s", **options)

    def clean_flags(self) -> str:
        """The flags as letters; a letter that is no flag is an error."""
        flags: str = self.cleaned_data["flags"]
        try:
            parse_flags(flags)
        except ValueError as error:
            raise forms.ValidationError(f"{error}; use f, u, d or a.") from error
        return flags

    def clean(self) -> dict[str, Any]:
        """Require the set or the dialplan that the kind of target needs."""
        data: dict[str, Any] = self.cleaned_data
        data["target"] = data.get("target") or TargetKind.SET
        needed = {TargetKind.SET: "setid", TargetKind.DIALPLAN: "next_dpid"}.get(data["target"])
        if needed and data.get(needed) is None and needed not in self.errors:
            self.add_error(needed, "This field is required.")
        return data

    def values(self) -> dict[str, Any]:
        """The columns; those that the kind of target does not need are empty."""
        data = self.cleaned_data
        return {name: data[name] for name in ("target", "algorithm", "flags", "route")} | {
            "setid": data["setid"] if data["target"] == TargetKind.SET else 0,
            "next_dpid": data["next_dpid"] if data["target"] == TargetKind.DIALPLAN else None,
        }


class TraceForm(forms.Form):
    """A number to follow from the dialplan to a destination; the URL holds the whole question."""

    dpid = forms.IntegerField(label="Dialplan", min_value=0, max_value=MAX_SET)
    number = forms.CharField(label="Number", max_length=MAX_INPUT, strip=False)
    domain = forms.CharField(label="Domain", max_length=MAX_PART)
    failures = forms.IntegerField(label="First N destinations fail", min_value=0, max_value=50)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def routes(request: HttpRequest) -> HttpResponse:
    """The route map; with `number`, its path along it; with `of`, the form for that dialplan's target."""
    values = with_defaults(request.GET, _TRACE_DEFAULTS)
    form = TraceForm(values) if "number" in request.GET else TraceForm(initial=values)
    of = integer(request.GET.get("of"), 0, MAX_SET)
    initial = {"dpid": of, "attributes": request.GET.get("attributes", "")}
    context: dict[str, object] = {
        "form": form,
        "target_form": DialplanTargetForm(initial=initial),
        "is_target_form_open": of is not None,
    }
    if "number" in request.GET and form.is_valid():
        trace = follow(form.cleaned_data["dpid"], form.cleaned_data["number"])
        context["trace"] = trace
        if trace.target and trace.target.setid is not None:
            call_form, explained = _call(request, form, trace, trace.target, trace.target.setid)
            context |= {"call_form": call_form, "explained": explained}
    return _show(request, context)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def save(request: HttpRequest) -> HttpResponse:
    """Store where a dialplan leads, replacing an earlier target."""
    form, former = DialplanTargetForm(request.POST), None
    if form.is_valid():
        data = form.cleaned_data
        try:
            actor, token = actor_of(request), token_in(request)
            target = services.save(data["dpid"], data["attributes"], form.values(), actor, token)
        except StaleFormError as stale:
            former = DialplanTarget.objects.filter(dpid=data["dpid"], attributes=data["attributes"]).first()
            now = f"Currently mapped to {former.where}: save again to replace it." if former else ""
            form.add_error(None, f"{stale.text} {now}")
        except services.TooManyTargetsError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Dialplan {target.dpid} mapped to {target.where}.")
            return redirect("preview:routes")
    trace_form = TraceForm(initial=_TRACE_DEFAULTS)
    context = {"form": trace_form, "target_form": form, "former_target": former}
    return _show(request, context, status=422)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
def delete(request: HttpRequest, target_id: int) -> HttpResponse:
    """Delete the target of a dialplan."""
    target = get_object_or_404(DialplanTarget, pk=target_id)
    try:
        services.delete(target, actor_of(request), token_in(request))
    except StaleFormError as stale:
        messages.error(request, stale.text)
        return redirect("preview:routes")
    messages.success(request, f"Mapping of dialplan {target.dpid} to {target.where} removed.")
    return redirect("preview:routes")


def _call(
    request: HttpRequest, form: TraceForm, trace: Trace, target: ResolvedTarget, setid: int
) -> tuple[CallForm, CallExplanation | None]:
    """The call to the translated number, as the page of one call explains it."""
    offered = sources(watched_on(request))
    uri = f"sip:{trace.number}@{form.cleaned_data['domain']}"
    values = {
        "source": request.GET.get("source", offered[0].key),
        "setid": str(setid),
        "algorithm": str(target.algorithm),
        "flags": target.flags,
        "request_uri": uri,
        "to_uri": uri,
        "failures": str(form.cleaned_data["failures"]),
    }
    call_form = CallForm(DEFAULTS | values, offered)
    if not call_form.is_valid():
        return call_form, None
    handling = handling_of_route(target.route, setid)
    return call_form, explain(call_form.source(), call_form.question(handling))


def _show(request: HttpRequest, context: Mapping[str, object], status: int = 200) -> HttpResponse:
    return render(request, "preview/routes.html", {**context, "dialplans": route_map()}, status=status)
