"""The pages of notifications."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from efcp.accounts.form_recovery import NOTICE, recover_form
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.services import actor_of
from efcp.forms import form_page
from efcp.operations.alerts import services
from efcp.operations.alerts.forms import AlertRuleForm
from efcp.operations.alerts.models import NoticeState, NotificationRule
from efcp.proxies.shared_questions import waits_for_others

SHOWN_NOTICES = 50
SHOWN_OUTAGES = 100
MAX_RULES = 500


@require_safe
@permission_required("efcp.view", raise_exception=True)
def rules(request: HttpRequest) -> HttpResponse:
    """Every rule, with how many outages it looks after and how many messages it could not send."""
    counted = NotificationRule.objects.annotate(
        down=Count("outages", filter=Q(outages__closed_as=0), distinct=True),
        failed=Count("notices", filter=Q(notices__state=NoticeState.GIVEN_UP), distinct=True),
    )
    return render(request, "operations/notifications/list.html", {"rules": counted[:MAX_RULES]})


@require_safe
@permission_required("efcp.view", raise_exception=True)
def rule(request: HttpRequest, rule_id: int) -> HttpResponse:
    """One rule, what is down by it, and its last messages."""
    found = get_object_or_404(NotificationRule, pk=rule_id)
    outages = found.outages.filter(closed_as=0)
    context = {
        "rule": found,
        "proxies": found.proxies.all(),
        "outages": outages.select_related("proxy").order_by("began_at")[:SHOWN_OUTAGES],
        "notices": found.notices.all()[:SHOWN_NOTICES],
    }
    return render(request, "operations/notifications/rule.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("secret")
@permission_required("efcp.administer", raise_exception=True)
def add(request: HttpRequest) -> HttpResponse:
    """Add a rule."""
    return _edit(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("secret")
@permission_required("efcp.administer", raise_exception=True)
def edit(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Change a rule."""
    return _edit(request, get_object_or_404(NotificationRule, pk=rule_id))


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
def delete(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Ask, then delete."""
    found = get_object_or_404(NotificationRule, pk=rule_id)
    if request.method != "POST":
        return render(request, "operations/notifications/delete.html", {"rule": found})
    try:
        services.delete(found, actor_of(request), token_in(request))
    except services.NotificationRuleGoneError:
        raise Http404 from None
    except StaleFormError as stale:
        context = {"rule": get_object_or_404(NotificationRule, pk=rule_id), "stale": stale}
        return render(request, "operations/notifications/delete.html", context, status=409)
    messages.success(request, f"Rule {found.name} deleted.")
    return redirect("notifications:list")


@require_POST
@permission_required("efcp.administer", raise_exception=True)
@waits_for_others
def test(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Send a message of a rule now."""
    found = get_object_or_404(NotificationRule, pk=rule_id)
    notice = services.test(found, actor_of(request))
    if notice.state == NoticeState.SENT:
        messages.success(request, "Test sent.")
    else:
        messages.error(request, f"Test failed: {notice.error}")
    return redirect("notifications:rule", found.pk)


def _edit(request: HttpRequest, found: NotificationRule | None) -> HttpResponse:
    if request.method != "POST":
        recovered = recover_form(request)
        form = AlertRuleForm(rule=found, recovered=recovered)
        return _show(request, form, NOTICE if recovered else "")
    form = AlertRuleForm(request.POST, rule=found)
    if not form.is_valid():
        return _show(request, form)
    try:
        saved = services.save(found, form.values(), actor_of(request), token_in(request))
    except services.NotificationRuleGoneError:
        raise Http404 from None
    except StaleFormError as stale:
        return _show(request, form, stale=stale)
    messages.success(request, f"Rule {saved.name} saved.")
    return redirect("notifications:rule", saved.pk)


def _show(
    request: HttpRequest, form: AlertRuleForm, notice: str = "", stale: StaleFormError | None = None
) -> HttpResponse:
    if stale and form.rule:
        form.rule.refresh_from_db()
    context = {"rule": form.rule, "notice": notice, "stale": stale}
    return form_page(request, "operations/notifications/form.html", form, **context)
