"""The administrators' pages about users."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from efcp.accounts import services
from efcp.accounts.forms import NewPasswordForm, NewUserForm, UserForm
from efcp.accounts.models import User
from efcp.accounts.roles import ADMINISTER, Role
from efcp.accounts.selectors import find_user, user_page
from efcp.accounts.services import LastAdministratorError, UserGoneError, UserNameTakenError
from efcp.accounts.typed import NOTICE, take_typed
from efcp.audit.edit_tokens import StaleFormError, token_in
from efcp.audit.services import actor_of

LAST_ADMINISTRATOR = (
    "{name} is the last administrator who can sign in."
    " Make another user an administrator first, so that somebody can still manage the panel."
)
GONE = "This user was removed meanwhile; nothing was changed."


@require_safe
@permission_required(ADMINISTER, raise_exception=True)
def users(request: HttpRequest) -> HttpResponse:
    """All users by name."""
    return render(request, "accounts/users.html", {"page": user_page(request.GET.get("page", ""))})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(ADMINISTER, raise_exception=True)
@sensitive_post_parameters("new_password", "repeated_password")
def add_user(request: HttpRequest) -> HttpResponse:
    """The form for a new user."""
    if request.method != "POST":
        return _add_page(request, _typed_into(NewUserForm(user=User()), request))
    form = NewUserForm(request.POST, user=User())
    if form.is_valid():
        values = form.cleaned_data
        try:
            user = services.add_user(
                values["username"], Role(values["role"]), values["new_password"], actor_of(request)
            )
        except UserNameTakenError:
            form.add_error("username", "Another user has this name; capital letters make no difference.")
        else:
            messages.success(
                request, f"{user.username} can sign in now, and is asked for a new password then."
            )
            return redirect("accounts:users")
    return _add_page(request, form)


def _add_page(request: HttpRequest, form: Form) -> HttpResponse:
    return render(request, "accounts/add_user.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(ADMINISTER, raise_exception=True)
def edit_user(request: HttpRequest, user_id: int) -> HttpResponse:
    """The form for a user's role and whether he may sign in."""
    user = _find(user_id)
    if request.method != "POST":
        form: Form = UserForm(initial={"role": user.role, "is_active": user.is_active})
        return _edit_page(request, _typed_into(form, request), user)
    form = UserForm(request.POST)
    if form.is_valid():
        role, is_active = Role(form.cleaned_data["role"]), form.cleaned_data["is_active"]
        try:
            services.change_user(user_id, role, is_active, actor_of(request), token_in(request))
        except LastAdministratorError:
            form.add_error(None, LAST_ADMINISTRATOR.format(name=user.username))
        except StaleFormError as stale:
            return _edit_page(request, form, _find(user_id), stale)
        except UserGoneError:
            return _gone(request)
        else:
            messages.success(request, f"{user.username} is saved.")
            return redirect("accounts:users")
    return _edit_page(request, form, user)


def _edit_page(
    request: HttpRequest, form: Form, user: User, stale: StaleFormError | None = None
) -> HttpResponse:
    context = {"form": form, "person": user, "stale": stale}
    return render(request, "accounts/edit_user.html", context, status=409 if stale else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(ADMINISTER, raise_exception=True)
@sensitive_post_parameters()
def set_password(request: HttpRequest, user_id: int) -> HttpResponse:
    """The form for a new password of another user, which he must change; for one's own there is another."""
    user = _find(user_id)
    if user.pk == request.user.pk:
        return redirect("accounts:password")
    form = NewPasswordForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_valid():
        try:
            password = form.cleaned_data["new_password"]
            services.set_password(user_id, password, actor_of(request), token_in(request))
        except UserGoneError:
            return _gone(request)
        except StaleFormError as stale:
            context = {"form": form, "person": _find(user_id), "stale": stale}
            return render(request, "accounts/user_password.html", context, status=409)
        messages.success(
            request, f"{user.username} has a new password, must change it, and is signed out everywhere."
        )
        return redirect("accounts:users")
    return render(request, "accounts/user_password.html", {"form": form, "person": user})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(ADMINISTER, raise_exception=True)
def delete_user(request: HttpRequest, user_id: int) -> HttpResponse:
    """Ask, then delete the user."""
    if request.method != "POST":
        user = _find(user_id)
        return render(request, "accounts/delete_user.html", {"person": user})
    try:
        user = services.delete_user(user_id, actor_of(request), token_in(request))
    except UserGoneError:
        return _gone(request)
    except StaleFormError as stale:
        context = {"person": _find(user_id), "stale": stale}
        return render(request, "accounts/delete_user.html", context, status=409)
    except LastAdministratorError:
        user = _find(user_id)
        context = {"person": user, "error": LAST_ADMINISTRATOR.format(name=user.username)}
        return render(request, "accounts/delete_user.html", context)
    messages.success(request, f"{user.username} is removed. What he did stays in the audit.")
    return redirect("accounts:users")


def _find(user_id: int) -> User:
    user = find_user(user_id)
    if user is None:
        raise Http404
    return user


def _gone(request: HttpRequest) -> HttpResponse:
    messages.info(request, GONE)
    return redirect("accounts:users")


def _typed_into(form: Form, request: HttpRequest) -> Form:
    """The form, filled with what was typed before the session ended if there is any."""
    typed = take_typed(request)
    if typed is None:
        return form
    messages.info(request, NOTICE)
    form.initial = {name: typed.get(name) for name in form.fields}
    return form
