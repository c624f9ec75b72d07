"""The pages of API tokens: one's own, those of service accounts, and for administrators everybody's."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from efcp.accounts import tokens
from efcp.accounts.forms import TokenForm
from efcp.accounts.models import ApiToken, User
from efcp.accounts.roles import VIEW
from efcp.accounts.signing_in import recently_confirmed
from efcp.audit.services import actor_of
from efcp.forms import form_page
from efcp.modules.registry import all_modules


@require_safe
@permission_required(VIEW, raise_exception=True)
def token_list(request: HttpRequest) -> HttpResponse:
    """This user's tokens; for administrators also those of service accounts and of other users."""
    user = cast(User, request.user)
    groups = [("Yours", tokens.tokens_of(user))]
    if user.may_administer:
        groups += [
            ("Service accounts", tokens.tokens_of(None)),
            ("Other users", tokens.tokens_of_others(user)),
        ]
    return render(request, "accounts/tokens.html", {"groups": groups})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW, raise_exception=True)
@recently_confirmed
def add_token(request: HttpRequest) -> HttpResponse:
    """The form for a new token; the answer to it shows the secret, which is stored nowhere."""
    user = cast(User, request.user)
    choices = [
        *((module.name, module.label) for module in all_modules()),
        ("panel", "What is the panel's own"),
    ]
    form = TokenForm(request.POST if request.method == "POST" else None, user=user, modules=choices)
    if form.is_valid():
        owner = None if form.cleaned_data.get("is_service") else user
        now = timezone.now()
        try:
            token, secret = tokens.create_token(
                form.cleaned_data["name"], owner, form.limits(), form.expires_at(now), now, actor_of(request)
            )
        except tokens.TooManyTokensError:
            form.add_error(None, f"There are {tokens.MOST_TOKENS} valid tokens already: revoke some first.")
        else:
            return render(request, "accounts/token_secret.html", {"token": token, "secret": secret})
    return form_page(request, "accounts/add_token.html", form)


@require_POST
@permission_required(VIEW, raise_exception=True)
@recently_confirmed
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """End a token at once: one's own, or as an administrator anybody's."""
    user = cast(User, request.user)
    token = get_object_or_404(ApiToken.objects.select_related("owner"), pk=min(token_id, 2**63 - 1))
    if token.owner != user and not user.may_administer:
        raise Http404
    tokens.revoke_token(token, timezone.now(), actor_of(request))
    messages.success(request, f"{token.name} is revoked.")
    return redirect("accounts:tokens")
