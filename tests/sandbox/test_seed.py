"""The samples: written once, into the empty tables of a trial."""

from dataclasses import replace

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from dialplan.models import Rule
from dispatcher.models import Destination, DestinationSet
from efcp.audit.models import AuditRecord
from efcp.sandbox.models import SampleGateway
from efcp.sandbox.seed import sample_gateways, seed_once
from tests.sandbox.fixtures import running_sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _trial(settings: Settings) -> None:
    """As where nothing is set."""
    settings.CONFIGURATION = replace(settings.CONFIGURATION, trial=True)


def empty_the_tables() -> None:
    """As a user who clears up."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM dispatcher")
        cursor.execute("DELETE FROM dialplan")
    SampleGateway.objects.all().delete()


def test_a_newcomer_gets_two_named_sets_and_some_rules() -> None:
    assert seed_once()
    assert dict(DestinationSet.objects.values_list("setid", "name")) == {1: "Media VBB", 2: "Recording"}
    assert list(Destination.objects.order_by("id").values_list("setid", "weight", "probe_mode")) == [
        *((1, "2", 1), (1, "1", 1), (1, "1", 1), (1, "1", 1)),
        *((2, "1", 1), (2, "1", 1)),
    ]
    assert Rule.objects.count() == 3


def test_one_gateway_is_down_and_each_has_a_port_of_its_own() -> None:
    seed_once()
    gateways = sample_gateways()
    assert sorted(gateways.values()) == [False, True, True, True, True, True]
    named = {int(uri.rpartition(":")[2]) for uri in Destination.objects.values_list("destination", flat=True)}
    assert named == set(gateways)


def test_the_samples_are_in_the_audit() -> None:
    seed_once()
    assert set(AuditRecord.objects.values_list("actor", flat=True)) == {"(samples)"}


def test_samples_are_never_written_twice() -> None:
    seed_once()
    empty_the_tables()
    assert not seed_once()
    assert not Destination.objects.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO dispatcher (setid, destination, attrs, description) VALUES (1, 'sip:10.0.0.1', '', '')",
        "INSERT INTO dialplan (dpid, match_op, match_exp, match_flags, pr) VALUES (1, 1, '^1', 0, 0)",
    ],
)
def test_whoever_had_rows_gets_no_samples_not_even_after_clearing_up(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert not seed_once()
    empty_the_tables()
    assert not seed_once()


def test_a_site_gets_no_samples(settings: Settings) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, trial=False)
    assert not seed_once()
    assert not Destination.objects.exists()


@pytest.mark.usefixtures("opensips_tables")
def test_the_sandbox_plays_the_gateways_that_the_samples_name() -> None:
    seed_once()
    [down] = Destination.objects.filter(description__contains="down").values_list("destination", flat=True)
    with running_sandbox(gateways=sample_gateways()) as sandbox:
        reports = sandbox.call("sr_list_reports", group="dispatcher", identifier="default")
        assert reports[-1]["Log"] == "6 destinations loaded (0 discarded)"
        sandbox.probe()
        sandbox.wait_for_state(down, "Probing")
        assert [uri for uri, state in sandbox.states().items() if state != "Active"] == [down]
        assert sandbox.call("dp_translate", dpid=1, input="004930")["Output"] == "+4930"
