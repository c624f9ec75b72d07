"""What each user keeps of a list: the columns that it hides, and filters by name.

All of it is one text of the user's row, since a list reads that row anyway.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from urllib.parse import parse_qsl, urlencode

from django.db import transaction

from efcp.accounts.models import User
from efcp.accounts.services import subject
from efcp.audit.services import Actor, record

MAX_FILTERS = 20
MAX_NAME = 40
MAX_QUERY = 500
MAX_PARAMETERS = 20


class RefusedFilterError(Exception):
    """A filter can't be saved; the message is for people."""


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A query string of a list, such as `?setid=1`, by the name that its user gave it."""

    name: str
    query: str


@dataclass(frozen=True, slots=True)
class ListSettings:
    """The columns of one list that are hidden, and its saved filters in the order of their names."""

    hidden: tuple[str, ...] = ()
    filters: tuple[SavedFilter, ...] = ()


def list_settings(user: User, name: str) -> ListSettings:
    """What the user keeps of the list of the table `name`."""
    kept = json.loads(user.list_settings or "{}").get(name, {})
    filters = tuple(SavedFilter(**each) for each in kept.get("filters", ()))
    return ListSettings(tuple(kept.get("hidden", ())), filters)


def show_columns(
    user: User, name: str, optional: Collection[str], shown: Collection[str], actor: Actor
) -> None:
    """Hide those of the optional columns that are not to be shown."""
    hidden = tuple(column for column in optional if column not in shown)
    _change(user, name, lambda settings: replace(settings, hidden=hidden), actor)


def save_filter(user: User, name: str, filter_name: str, query: str, actor: Actor) -> SavedFilter:
    """Keep a query string of the list by a name, replacing one of the same name. RefusedFilterError."""
    saved = SavedFilter(" ".join(filter_name.split()), plain_query(query))
    if not 0 < len(saved.name) <= MAX_NAME:
        raise RefusedFilterError(f"A filter needs a name of at most {MAX_NAME} characters.")
    if saved.query == "?":
        raise RefusedFilterError("Set a filter first: the list shows everything now.")
    if len(saved.query) > MAX_QUERY:
        raise RefusedFilterError("The filter is too long to be saved.")

    def add(settings: ListSettings) -> ListSettings:
        others = [each for each in settings.filters if each.name != saved.name]
        if len(others) >= MAX_FILTERS:
            raise RefusedFilterError(f"{MAX_FILTERS} filters are saved: delete one first.")
        return replace(settings, filters=tuple(sorted([*others, saved], key=lambda each: each.name)))

    _change(user, name, add, actor)
    return saved


def delete_filter(user: User, name: str, filter_name: str, actor: Actor) -> None:
    """Forget a saved filter; none of that name is no error."""

    def without(settings: ListSettings) -> ListSettings:
        return replace(settings, filters=tuple(each for each in settings.filters if each.name != filter_name))

    _change(user, name, without, actor)


def plain_query(text: str) -> str:
    """A query string of a list without its page; `?` alone where it narrows and orders nothing."""
    try:
        given = parse_qsl(text.removeprefix("?"), max_num_fields=MAX_PARAMETERS)
    except ValueError:  # too many
        given = []
    return "?" + urlencode([(name, value) for name, value in given if name != "page"])


def _change(user: User, name: str, change: Callable[[ListSettings], ListSettings], actor: Actor) -> None:
    """Change the settings of one list, as they stand now: two windows of a user may write at once."""
    with transaction.atomic():
        stored = User.objects.select_for_update().get(pk=user.pk)
        before = list_settings(stored, name)
        after = change(before)
        if after == before:
            return
        lists = {**json.loads(stored.list_settings or "{}"), name: asdict(after)}
        user.list_settings = json.dumps(lists, separators=(",", ":"))
        user.save(update_fields=["list_settings"])
        record(
            actor,
            "preferences",
            subject(user),
            before={name: asdict(before)},
            after={name: asdict(after)},
        )
