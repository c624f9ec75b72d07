"""Reading users."""

from django.core.paginator import Page, Paginator

from efcp.accounts.models import User

USERS_PER_PAGE = 100


def find_user(user_id: int) -> User | None:
    """The user of that id; None where there is none."""
    return User.objects.filter(pk=min(user_id, 2**63 - 1)).first()


def user_page(number: str) -> Page[User]:
    """The users by name, USERS_PER_PAGE to a page; the nearest page where `number` is none."""
    return Paginator(User.objects.order_by("username"), USERS_PER_PAGE).get_page(number)
