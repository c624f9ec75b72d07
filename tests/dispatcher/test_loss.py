"""What a set loses with a destination: shown for the proxy where it is worst, by name."""

from django.urls import reverse

from dispatcher.environment import set_of_row
from dispatcher.loss import loss_of
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.roles import Role
from efcp.proxies.models import Proxy
from tests.conftest import AddRow, ClientAs
from tests.dispatcher.conftest import hold, make_proxy


def test_the_worst_proxy_counts_and_is_named(client_as: ClientAs, add_row: AddRow, proxy: Proxy) -> None:
    row_id = add_row("sip:10.0.0.1")
    add_row("sip:10.0.0.2")
    other = make_proxy("edge-2")
    for each, state in ((proxy, "active"), (other, "inactive")):
        hold(each, "sip:10.0.0.1")
        hold(each, "sip:10.0.0.2", state=state)
    loss = loss_of(DestinationRow.of(Destination.objects.get(pk=row_id)))
    assert (loss.no_active_left, loss.share, loss.where) == (True, 100.0, "edge-2")
    page = client_as(Role.ADMINISTRATOR).get(reverse("dispatcher:delete", args=[row_id])).text
    assert "The last active destination on edge-2" in page


def test_without_an_answering_proxy_the_table_counts(add_row: AddRow) -> None:
    row_id = add_row("sip:10.0.0.1")
    add_row("sip:10.0.0.2")
    loss = loss_of(DestinationRow.of(Destination.objects.get(pk=row_id)))
    assert (loss.share, loss.no_active_left, loss.where) == (50.0, False, "")


def test_the_form_s_warning_names_the_worst_proxy(add_row: AddRow, proxy: Proxy) -> None:
    add_row("sip:10.0.0.2")
    hold(proxy, "sip:10.0.0.2")
    hold(make_proxy("edge-2"), "sip:10.0.0.2", state="inactive")
    of_set = set_of_row(1)
    assert (of_set.active, of_set.proxy) == (0, "edge-2")
