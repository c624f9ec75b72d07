"""The dispatcher's pages. HTTP only: selectors.py reads, services.py writes."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods, require_safe

from dispatcher import list_page, selectors, services
from dispatcher.batch_effect import batch_environment, share_effects
from dispatcher.changes import kept_changes, pending_changes
from dispatcher.environment import form_environment, known_sockets
from dispatcher.forms import DestinationForm, DestinationOfBatchForm
from dispatcher.kamailio import as_opensips, is_kamailio
from dispatcher.loss import loss_of
from dispatcher.models import Destination, InitialState
from dispatcher.routing.rows import DestinationRow
from dispatcher.selectors import DestinationQuery, Live
from dispatcher.table import DESTINATIONS, SET_NAMES
from dispatcher.table_index import index_of
from efcp.accounts.preferences import page_size_of
from efcp.editing.batch import RowChange
from efcp.editing.export import EXPORT_KINDS, export_table
from efcp.editing.forms import RowForm
from efcp.editing.importing import Foreign
from efcp.editing.listing import SIZES
from efcp.editing.views import TableEditor
from efcp.jinja import rendered
from efcp.kept import Blanks, kept_page
from efcp.proxies.context import watched_on

LIVE_LABELS = (
    (Live.ACTIVE, "Active on a proxy"),
    (Live.PROBING, "Probing on a proxy"),
    (Live.INACTIVE, "Inactive on a proxy"),
    (Live.ABSENT, "Not loaded on a proxy"),
)


@require_safe
@permission_required("efcp.view", raise_exception=True)
def destination_list(request: HttpRequest) -> HttpResponse:
    """All destinations by set, filtered, sorted and paged by the URL."""
    is_fragment = request.headers.get("HX-Target") == "destinations"
    query = DestinationQuery.parse(page_size_of(request) | request.GET.dict())
    watched = watched_on(request, selectors.LIST_VERSION.watched)

    def show(blanks: Blanks) -> str:
        context = {
            "is_fragment": is_fragment,
            "page": list_page.build(query, watched, index_of(watched)),
            "pending": kept_changes(watched),
            "initial_states": InitialState.choices,
            "live_states": LIVE_LABELS,
            "sizes": SIZES,
            "export_kinds": EXPORT_KINDS,
            "menu": EDITOR.menu(request, query),
            "user": request.user,
            **blanks.context,
        }
        content = rendered("dispatcher/list.jinja", context)
        if is_fragment:
            return content
        return render_to_string("dispatcher/list.html", {"content": content, **blanks.context}, request)

    version = selectors.LIST_VERSION.of(watched)
    return kept_page(request, query.query_string(), version, show, part="destinations")


@require_safe
@permission_required("efcp.view", raise_exception=True)
def pending(request: HttpRequest) -> HttpResponse:
    """The fragment that counts what a reload would change."""
    return render(
        request,
        "dispatcher/pending.html",
        {"pending": pending_changes(watched_on(request, selectors.LIST_VERSION.watched))},
    )


@require_safe
@permission_required("efcp.view", raise_exception=True)
def export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The destinations that the list's filters match, as a CSV, JSON or XLSX file."""
    return export_table(DESTINATIONS, EDITOR.matching(request), kind)


class DestinationEditor(TableEditor[DestinationRow]):
    """What is special to destinations: their checks look names and sets up, and a deletion shows the loss."""

    repository = services.REPOSITORY
    form = DestinationForm
    list_page = "dispatcher:list"
    reload_page = "operations:reload"
    templates = "dispatcher"
    optional_columns = (
        ("details", "Description, socket, attributes"),
        ("share", "Weight, share of calls"),
        ("priority", "Priority"),
        ("initial", "Initial state"),
        ("live", "Live states"),
    )

    def initial(self, request: HttpRequest) -> Mapping[str, Any]:
        """`?setid=` fills the set."""
        given = request.GET.get("setid", "")
        return {"setid": given} if given.isascii() and given.isdigit() else {}

    def bound_form(
        self, request: HttpRequest, stored: DestinationRow | None = None, *, checked: str = ""
    ) -> DestinationForm:
        """The form as it was sent. Names are looked up only for the destination itself."""
        environment = form_environment(look_up_names=checked in ("", "destination"))
        return DestinationForm(request.POST, stored=stored, environment=environment)

    def batch_form(self) -> DestinationOfBatchForm:
        """The form that checks many rows; names are looked up for a few seconds."""
        return DestinationOfBatchForm({}, environment=batch_environment())

    def batch_effect(self, changes: Sequence[RowChange[DestinationRow]]) -> list[dict[str, Any]]:
        """How call shares move."""
        return share_effects(changes)

    def foreign(self, columns: Sequence[str]) -> Foreign | None:
        """Kamailio's destinations become OpenSIPS's."""
        return as_opensips if is_kamailio(columns) else None

    def matching(self, request: HttpRequest) -> QuerySet[Destination]:
        """The destinations that the list shows."""
        proxies = [each.proxy for each in watched_on(request) if each.fresh]
        return selectors.matching(DestinationQuery.parse(request.GET.dict()), proxies)

    def form_context(
        self, _form: RowForm[DestinationRow], _stored: DestinationRow | None
    ) -> Mapping[str, Any]:
        """The sockets that proxies showed."""
        return {"known_sockets": known_sockets()}

    def delete_context(self, stored: DestinationRow) -> Mapping[str, Any]:
        """What the set loses with the destination."""
        return {"loss": loss_of(stored), "set_name": selectors.set_names().get(stored.setid, "")}


EDITOR = DestinationEditor()


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("efcp.administer", raise_exception=True)
def name_set(request: HttpRequest, setid: int) -> HttpResponse:
    """Give a set a name."""
    return SET_NAMES.page(request, setid)
