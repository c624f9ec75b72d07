"""What signing in takes, by role: a second factor, and activity."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import F

from efcp.accounts.factors import users_with_a_factor
from efcp.accounts.models import RolePolicy, User
from efcp.accounts.roles import Role
from efcp.accounts.sessions import IDLE_S, MUST_ADD_FACTOR
from efcp.audit.services import Actor, Subject, record


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a role's users need; `idle_minutes` 0 is the usual life of a session."""

    needs_factor: bool = False
    idle_minutes: int = 0


def requirements() -> dict[Role, Requirements]:
    """Those of every role, in one query."""
    stored = {
        Role(row.role): Requirements(row.needs_factor, row.idle_minutes) for row in RolePolicy.objects.all()
    }
    return {role: stored.get(role, Requirements()) for role in Role}


def requirements_of(user: User) -> Requirements:
    """Those of a user's role, in one query."""
    row = RolePolicy.objects.filter(pk=user.role).first()
    return Requirements(row.needs_factor, row.idle_minutes) if row else Requirements()


def apply_to_session(session: SessionBase, user: User, has_factor: bool) -> None:
    """Have a new session follow the requirements of the user's role."""
    of_role = requirements_of(user)
    if of_role.needs_factor and not has_factor:
        session[MUST_ADD_FACTOR] = True
    if of_role.idle_minutes:
        session[IDLE_S] = of_role.idle_minutes * 60
        session.set_expiry(of_role.idle_minutes * 60)


@transaction.atomic
def change(required: Mapping[Role, Requirements], actor: Actor) -> None:
    """Store the requirements; a stricter one signs out the users whom it concerns, but for the actor.

    Nothing is recorded where nothing changes.
    """
    before = requirements()
    for role, new in required.items():
        old = before[role]
        if new == old:
            continue
        RolePolicy.objects.update_or_create(role=role, defaults=asdict(new))
        subject = Subject("sign-in policy", role, f"Sign-in policy of {role.label.lower()}s")
        record(actor, "edit", subject, before=asdict(old), after=asdict(new))
        others = User.objects.filter(role=role).exclude(username=actor.name)
        if new.idle_minutes and (not old.idle_minutes or new.idle_minutes < old.idle_minutes):
            others.update(session_epoch=F("session_epoch") + 1)
        elif new.needs_factor and not old.needs_factor:
            others.exclude(pk__in=users_with_a_factor()).update(session_epoch=F("session_epoch") + 1)
