"""Users for whom somebody else vouches: an OpenID Connect provider, or a proxy in front of the panel.

An account that exists here is never taken over: by its name alone nobody gets into it. Its owner links the
provider's account while signed in.
"""

from unicodedata import normalize

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from efcp.accounts import oidc, services, tokens
from efcp.accounts.models import User
from efcp.accounts.oidc import Identity, ProviderError, role_for
from efcp.accounts.roles import Role
from efcp.accounts.services import LastAdministratorError, UserGoneError, UserNameTakenError, subject
from efcp.accounts.sessions import PROXY
from efcp.audit.services import Actor, record
from efcp.sign_in_settings import RolesByGroup

LONGEST_NAME = 64
ID_TOKEN = "oidc"  # noqa: S105 - the name of a session's value
"""In a session that began at a provider: its key and the ID token."""


class NotLetInError(Exception):
    """Somebody is vouched for and still not let in; the text says why, for people."""

    def __init__(self, text: str, user: User | None = None) -> None:
        super().__init__(text)
        self.user = user


def user_of(provider: str, uid: str) -> User | None:
    """The user whose account at the provider this is."""
    account = SocialAccount.objects.select_related("user").filter(provider=provider, uid=uid).first()
    return account.user if account else None


def accounts_of(user: User) -> list[SocialAccount]:
    """The accounts at providers that are the user's."""
    return list(SocialAccount.objects.filter(user=user).order_by("pk"))


def let_in(
    provider: str, uid: str, name: str, groups: frozenset[str], roles: RolesByGroup, address: str
) -> User:
    """The user who is vouched for, with the role that the groups give by now; stored where they are new.

    Raises NotLetInError.
    """
    actor = Actor(f"(provider {provider})"[:64], address)
    user = user_of(provider, uid)
    role = role_for(roles, groups)
    if role is None:
        if user is not None:
            _end_all(user, actor)
        raise NotLetInError("None of your groups has a role in this panel.", user)
    if user is None:
        return _new_user(provider, uid, name, role, actor)
    if not user.is_active:
        raise NotLetInError("Your account in this panel is turned off.", user)
    return user if user.role == role else _with_role(user, role, actor)


def _end_all(user: User, actor: Actor) -> None:
    """End what a user without a role still has open: sessions and API tokens."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    for token in tokens.tokens_of(user):
        tokens.revoke_token(token, timezone.now(), actor)


def _with_role(user: User, role: Role, actor: Actor) -> User:
    try:
        return services.change_user(user.pk, role, user.is_active, actor)
    except LastAdministratorError:
        return user
    except UserGoneError:
        raise NotLetInError("Your account in this panel was removed.") from None


def _new_user(provider: str, uid: str, name: str, role: Role, actor: Actor) -> User:
    spelled = "".join(filter(str.isprintable, normalize("NFKC", name))).strip()[:LONGEST_NAME]
    if not spelled:
        raise NotLetInError("The provider gives you no name.")
    try:
        with transaction.atomic():
            user = services.add_external_user(spelled, role, actor)
            SocialAccount.objects.create(user=user, provider=provider, uid=uid)
    except UserNameTakenError:
        how = (
            "An administrator has to remove that user first."
            if provider == PROXY
            else "Sign in as before, then link the account on your security page."
        )
        taken = User.objects.filter(username=spelled).first()
        raise NotLetInError(f"{spelled} is a user here already. {how}", taken) from None
    except IntegrityError:
        raise NotLetInError("You signed in twice at once. Try again.") from None
    return user


def link(user: User, identity: Identity, actor: Actor) -> None:
    """Link an account at a provider to the signed-in user. Raises NotLetInError where it is another's."""
    if user_of(identity.provider, identity.uid) is not None:
        raise NotLetInError("This account is linked already.", user)
    try:
        with transaction.atomic():
            data = {"name": identity.name[:LONGEST_NAME], "email": identity.email[:255]}
            SocialAccount.objects.create(
                user=user, provider=identity.provider, uid=identity.uid, extra_data=data
            )
            record(actor, "link account", subject(user), after={"provider": identity.provider} | data)
    except IntegrityError:
        raise NotLetInError("This account is linked already.", user) from None


@transaction.atomic
def unlink(user: User, account_id: int, actor: Actor) -> bool:
    """Remove a link, unless the user could not sign in any more; False where it stays or is gone."""
    account = SocialAccount.objects.select_for_update().filter(user=user, pk=account_id).first()
    if account is None or not user.has_usable_password():
        return False
    account.delete()
    record(actor, "unlink account", subject(user), before={"provider": account.provider})
    return True


def provider_sign_out(request: HttpRequest) -> str:
    """Where this session's provider ends its own session; empty where there is none, or it is away."""
    key, id_token = request.session.get(ID_TOKEN, ("", ""))
    provider = settings.OIDC_PROVIDERS.get(key)
    if provider is None:
        return ""
    try:
        return oidc.sign_out_address(
            provider, id_token, request.build_absolute_uri(reverse("accounts:sign-in"))
        )
    except ProviderError:
        return ""
