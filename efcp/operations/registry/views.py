"""The proxies' pages: which there are, and whether each answers."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from efcp.accounts.form_recovery import NOTICE, recover_form
from efcp.accounts.signing_in import recently_confirmed
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.services import actor_of
from efcp.forms import form_page
from efcp.operations.registry import services
from efcp.operations.registry.forms import ProxyForm
from efcp.proxies import selectors
from efcp.proxies.fan_out import Target, target_of
from efcp.proxies.models import Proxy
from efcp.proxies.proxy_check import ProxyCheck, check_proxy
from efcp.proxies.shared_questions import waits_for_others


@require_safe
@permission_required("efcp.view", raise_exception=True)
def proxy_list(request: HttpRequest) -> HttpResponse:
    """All proxies with their last contact; htmx asks for the rows alone."""
    context = {
        "proxies": selectors.watched_proxies(enabled_only=False),
        "watcher_is_silent": selectors.watcher_is_silent(),
    }
    fragment = "#proxies" if request.headers.get("HX-Target") == "proxies" else ""
    return render(request, f"proxies/list.html{fragment}", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def dots(request: HttpRequest) -> HttpResponse:
    """The top bar's own part, which refreshes itself on every page."""
    return render(request, "proxies/dots.html")


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
@recently_confirmed
def add(request: HttpRequest) -> HttpResponse:
    """Add a proxy."""
    if request.method != "POST":
        return _begin_form(request)
    form = ProxyForm(request.POST)
    if not form.is_valid():
        return _show_form(request, form)
    try:
        proxy = services.add_proxy(actor_of(request), form.values(), form.password() or "")
    except services.NameTakenError:
        form.add_error("name", "This name is taken.")
        return _show_form(request, form)
    messages.success(request, f"Proxy {proxy.name} added. The watcher contacts it within seconds.")
    return redirect("proxies:list")


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
@recently_confirmed
def edit(request: HttpRequest, proxy_id: int) -> HttpResponse:
    """Edit a proxy; nothing is written if someone else changed it meanwhile."""
    proxy = get_object_or_404(Proxy, pk=proxy_id)
    if request.method != "POST":
        return _begin_form(request, proxy)
    form = ProxyForm(request.POST, proxy=proxy)
    if not form.is_valid():
        return _show_form(request, form, proxy)
    try:
        services.change_proxy(actor_of(request), proxy.pk, form.values(), form.password(), token_in(request))
    except services.NameTakenError:
        form.add_error("name", "This name is taken.")
        return _show_form(request, form, proxy)
    except StaleFormError as stale:
        proxy.refresh_from_db()
        return _show_form(request, form, proxy, stale=stale)
    except services.ProxyGoneError:
        messages.error(request, f"Proxy {proxy.name} has been deleted; nothing was saved.")
        return redirect("proxies:list")
    messages.success(request, f"Proxy {form.values().name} saved.")
    return redirect("proxies:list")


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
@recently_confirmed
def delete(request: HttpRequest, proxy_id: int) -> HttpResponse:
    """Ask, showing what goes with the proxy; then delete."""
    proxy = get_object_or_404(Proxy, pk=proxy_id)
    if request.method != "POST":
        context = {"proxy": proxy, "effect": selectors.deletion_effect(proxy)}
        return render(request, "proxies/delete.html", context)
    try:
        name = services.delete_proxy(actor_of(request), proxy.pk, token_in(request))
    except services.ProxyGoneError:
        messages.info(request, f"Proxy {proxy.name} was already deleted.")
    except StaleFormError as stale:
        proxy.refresh_from_db()
        context = {"proxy": proxy, "effect": selectors.deletion_effect(proxy), "stale": stale}
        return render(request, "proxies/delete.html", context, status=409)
    else:
        messages.success(request, f"Proxy {name} deleted.")
    return redirect("proxies:list")


@require_POST
@permission_required("efcp.operate", raise_exception=True)
@waits_for_others
def test(request: HttpRequest, proxy_id: int) -> HttpResponse:
    """Ask a stored proxy now and show what was found."""
    proxy = get_object_or_404(Proxy, pk=proxy_id)
    context = {"proxy": proxy, "inquiry": check_proxy(target_of(proxy))}
    fragment = "proxies/inquiry.html" if request.headers.get("HX-Request") else "proxies/test.html"
    return render(request, fragment, context)


@require_POST
@permission_required("efcp.administer", raise_exception=True)
@waits_for_others
def try_new(request: HttpRequest) -> HttpResponse:
    """Ask at the address of a proxy that is not saved yet."""
    return _try(request, ProxyForm(request.POST))


@require_POST
@permission_required("efcp.administer", raise_exception=True)
@waits_for_others
def try_edited(request: HttpRequest, proxy_id: int) -> HttpResponse:
    """Ask at the address that is being edited, with the stored password if the form keeps it."""
    proxy = get_object_or_404(Proxy, pk=proxy_id)
    return _try(request, ProxyForm(request.POST, proxy=proxy), proxy)


def _try(request: HttpRequest, form: ProxyForm, proxy: Proxy | None = None) -> HttpResponse:
    inquiry = None
    if form.is_valid():
        candidate = Proxy(partition=form.values().partition)
        inquiry = check_proxy(Target(candidate, form.endpoint()))
    if request.headers.get("HX-Request"):
        return render(request, "proxies/inquiry.html", {"inquiry": inquiry, "form": form})
    return _show_form(request, form, proxy, inquiry)


def _begin_form(request: HttpRequest, proxy: Proxy | None = None) -> HttpResponse:
    recovered = recover_form(request)
    form = ProxyForm.filled(recovered, proxy)
    context = {"form": form, "proxy": proxy, "notice": NOTICE if recovered is not None else ""}
    return render(request, "proxies/form.html", context)


def _show_form(
    request: HttpRequest,
    form: ProxyForm,
    proxy: Proxy | None = None,
    inquiry: ProxyCheck | None = None,
    stale: StaleFormError | None = None,
) -> HttpResponse:
    """The form; a `stale` one beside the stored values, which it overwrites when it is sent again."""
    return form_page(request, "proxies/form.html", form, proxy=proxy, inquiry=inquiry, stale=stale)
