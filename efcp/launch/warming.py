"""What is done before the first request, so that the first page is as quick as the tenth."""

from django.db import DatabaseError, connection
from django.template import engines
from django.template.loader import get_template
from django.urls import get_resolver

from dispatcher import list_page, selectors
from dispatcher.selectors import DestinationQuery

PAGES = ("dialplan/list.html", "dispatcher/list.html", "home/page.html", "operations/board/page.html")
LISTS = ("dispatcher/list.jinja", "dispatcher/destinations.jinja", "dispatcher/row.jinja")


def load_pages() -> None:
    """Import every view, and compile the templates of the pages that people have open."""
    get_resolver().reverse_dict  # noqa: B018 - it is computed when it is read
    for name in PAGES:
        get_template(name)
    for name in LISTS:
        engines["jinja2"].get_template(name)


def read_once() -> None:
    """Read a list as the first page will. Without a database the panel starts as well; its pages say so."""
    try:
        list_page.build(DestinationQuery.parse({}), selectors.LIST_VERSION.watched())
    except DatabaseError:
        return
    finally:
        connection.close()
