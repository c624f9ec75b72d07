"""The pages of notifications."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from efcp.accounts.form_recovery import NOTICE, recover_form
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.services import actor_of
from efcp.forms import form_page
from efcp.operations.alerts import acknowledging, selectors, services
from efcp.operations.alerts.content import body_of
from efcp.operations.alerts.forms import AlertRuleForm, SilenceForm
from efcp.operations.alerts.models import Notice, NoticeState, NotificationRule, Silence
from efcp.proxies.shared_questions import waits_for_others
from efcp.sip.uri import uri_key

SHOWN_SILENCES = 200
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


@require_safe
@permission_required("efcp.view", raise_exception=True)
def alerts(request: HttpRequest) -> HttpResponse:
    """The alerts of all rules, one per cause and scope."""
    which = request.GET.get("show", "open")
    which = which if which in selectors.FILTERS else "open"
    listed = selectors.alerts_by_scope(which)
    context = {
        "alerts": listed.alerts,
        "is_cut": listed.is_cut,
        "which": which,
        "filters": selectors.FILTERS,
        "counts": selectors.open_counts(),
    }
    return render(request, "operations/notifications/alerts.html", context)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def acknowledge(request: HttpRequest) -> HttpResponse:
    """Acknowledge the chosen alerts, those of a message, or all that are open."""
    notice = Notice.objects.filter(key=request.POST.get("message", "")).first()
    if notice is not None:
        chosen = [pk for each in selectors.alerts_of(notice) for pk in each.ids]
        back = redirect("notifications:message", notice.key)
    else:
        back = redirect("notifications:alerts")
        chosen = [int(each) for each in request.POST.getlist("alert") if each.isascii() and each.isdigit()]
        if "everything" in request.POST:
            chosen = selectors.open_ids()
    done = acknowledging.acknowledge(chosen, actor_of(request))
    if done.count:
        messages.success(request, f"{done.count:,} alert{'s' if done.count > 1 else ''} acknowledged.")
    elif done.by_others:
        messages.info(request, f"Already acknowledged by {', '.join(done.by_others)}.")
    else:
        messages.info(request, "Nothing to acknowledge: none selected, or it is over.")
    return back


@require_safe
@permission_required("efcp.view", raise_exception=True)
def message_log(request: HttpRequest) -> HttpResponse:
    """Each message with its outcome, the newest first."""
    failed_only = request.GET.get("show") == "failed"
    context = {"log": selectors.message_log(failed_only=failed_only), "failed_only": failed_only}
    return render(request, "operations/notifications/messages.html", context)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def message(request: HttpRequest, key: str) -> HttpResponse:
    """One message, its alerts as they are now, and the button that acknowledges them."""
    notice = get_object_or_404(Notice.objects.select_related("rule", "receiver"), key=key)
    listed = selectors.alerts_of(notice)
    context = {
        "notice": notice,
        "subject": selectors.subject_line(notice),
        "text": body_of(notice.kind, notice.content) if notice.content else "",
        "alerts": listed,
        "can_acknowledge": any(
            each.first.ended_at is None and each.first.acknowledged_at is None for each in listed
        ),
    }
    return render(request, "operations/notifications/message.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.view", raise_exception=True)
def silences(request: HttpRequest) -> HttpResponse:
    """Silences that run and that ended, and the form of another."""
    form = SilenceForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not request.user.has_perm("efcp.operate"):
            raise PermissionDenied
        if form.is_valid():
            given = form.cleaned_data
            acknowledging.silence(
                proxy=given["proxy"],
                setid=given["setid"],
                uri_key=uri_key(given["uri"].strip()),
                ends_at=timezone.now() + timedelta(minutes=given["minutes"]),
                reason=given["reason"],
                actor=actor_of(request),
            )
            messages.success(request, "Silence added.")
            return redirect("notifications:silences")
    found = Silence.objects.select_related("proxy")[:SHOWN_SILENCES]
    context = {"silences": found, "now": timezone.now()}
    return form_page(request, "operations/notifications/silences.html", form, **context)


@require_POST
@permission_required("efcp.operate", raise_exception=True)
def end_silence(request: HttpRequest, silence_id: int) -> HttpResponse:
    """End a silence before its time; ending it twice is ending it."""
    get_object_or_404(Silence, pk=silence_id)
    if acknowledging.end_silence(silence_id, actor_of(request)):
        messages.success(request, "Silence ended.")
    return redirect("notifications:silences")


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
