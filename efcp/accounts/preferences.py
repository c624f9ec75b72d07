"""What each user chose for the pages: colours, density, rows of a page, and the page to start on."""

from dataclasses import asdict, dataclass

from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from efcp.accounts.models import Density, StartPage, Theme, User
from efcp.accounts.services import subject
from efcp.audit.services import Actor, record

PAGE_SIZES = (30, 50, 100, 200)


@dataclass(frozen=True, slots=True)
class Preferences:
    """A user's choices; the fields are those of the user's row."""

    theme: Theme
    density: Density
    start_page: StartPage
    page_size: int


def preferences_of(user: User) -> Preferences:
    """The stored ones; a start page that is not there any more counts as the home."""
    start = user.start_page if user.start_page in set(StartPage) else StartPage.HOME
    return Preferences(Theme(user.theme), Density(user.density), StartPage(start), user.page_size)


def choose(user: User, chosen: Preferences, actor: Actor) -> None:
    """Store them; nothing is recorded where nothing changes."""
    before = preferences_of(user)
    if chosen == before:
        return
    changed = asdict(chosen)
    for name, value in changed.items():
        setattr(user, name, value)
    with transaction.atomic():
        user.save(update_fields=list(changed))
        record(actor, "preferences", subject(user), before=asdict(before), after=changed)


def hide_first_steps(user: User, actor: Actor) -> None:
    """Put the list of first steps away for good."""
    with transaction.atomic():
        changed = User.objects.filter(pk=user.pk, hides_first_steps=False).update(hides_first_steps=True)
        if changed:
            hidden = {"hides_first_steps": True}
            record(actor, "preferences", subject(user), before={"hides_first_steps": False}, after=hidden)


def page_size_of(request: HttpRequest) -> dict[str, str]:
    """The rows of a page that the user chose, as a parameter of a list's URL would have it."""
    return {"size": str(getattr(request.user, "page_size", PAGE_SIZES[0]))}


def start_url(user: User) -> str:
    """The address of the page on which the user starts."""
    return reverse(preferences_of(user).start_page)
