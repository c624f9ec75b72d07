"""Links by which a user without a password sets one: signed, for three days, and good once.

The token is Django's for password resets: it no longer fits once the password was set, or the user signed in.
"""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.tokens import default_token_generator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from efcp.accounts.forms import NewPasswordForm
from efcp.accounts.models import User
from efcp.accounts.services import change_own_password
from efcp.audit.services import Actor
from efcp.forms import form_page
from efcp.proxy_headers import client_address


def link_for(user: User) -> str:
    """The path of the page on which the user sets their password."""
    return reverse("accounts:choose-password", args=[user.pk, default_token_generator.make_token(user)])


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
@sensitive_post_parameters()
def choose_password(request: HttpRequest, user_id: int, token: str) -> HttpResponse:
    """Set the password of the user whom the link was made for; on POST store it."""
    user = User.objects.filter(pk=min(user_id, 2**31 - 1), is_active=True).first()
    if user is None or not default_token_generator.check_token(user, token):
        return render(request, "accounts/choose_password.html", {"person": None}, status=404)
    form = NewPasswordForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_valid():
        actor = Actor(user.username, client_address(request))
        change_own_password(user, form.cleaned_data["new_password"], actor)
        messages.success(request, "Password set. Sign in with it.")
        return redirect("accounts:sign-in")
    return form_page(request, "accounts/choose_password.html", form, person=user)
