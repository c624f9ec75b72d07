"""The page that says what is wrong with an opensips.cfg."""

from collections import Counter

from django.contrib.auth.decorators import permission_required
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from efcp.audit.services import actor_of
from efcp.script.checking.check import check
from efcp.script.checking.overview import overview
from efcp.script.checking.report import as_json
from efcp.script.forms import MAX_BYTES, CheckForm
from efcp.script.knowledge.loading import knowledge_of
from efcp.script.language.files import read_text
from efcp.script.script_routes.routes import script_routes
from efcp.script.script_routes.services import keep
from efcp.script.selectors import tables


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
    script = read_text(*form.script())
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
        "counts": Counter(finding.severity.value for finding in checked.findings),
        "skipped": script.skipped,
    }
    return render(request, "script/check.html", context)
