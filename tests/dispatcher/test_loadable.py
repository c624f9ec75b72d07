"""The short cuts by which ordinary destinations are known to load, compared with the loader itself."""

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.load_prediction import SOUND
from dispatcher.routing.addresses import name_of, plain_name
from dispatcher.routing.environment import Environment
from dispatcher.routing.findings import RowEffect, RowFinding
from dispatcher.routing.loading import load_row
from dispatcher.routing.rows import DestinationRow
from efcp.releases import STRICTEST
from efcp.sip.uri import parse

NAMED = r"sip:[a-z][a-z0-9.-]{0,30}(:[0-9]{1,5})?(;transport=(udp|tcp|tls|sctp))?"


def effects(destination: str) -> set[RowEffect]:
    """What the strictest loader says of a row, its name resolving."""
    found: list[RowFinding] = []
    resolving = Environment(resolve=lambda *_name: ("192.0.2.1",), release=STRICTEST)
    assert load_row(DestinationRow(1, destination), resolving, found) is not None
    return {each.effect for each in found}


@given(
    st.sampled_from(SOUND)
    .flatmap(lambda pattern: st.from_regex(pattern, fullmatch=True))
    .map(str.strip)
    .filter(lambda text: len(text) < 190)
)
def test_what_the_database_takes_for_sound_loads(destination: str) -> None:
    assert not effects(destination) & {RowEffect.DROPPED, RowEffect.RELOAD_FAILS}


@given(st.from_regex(NAMED, fullmatch=True))
def test_a_plain_name_is_that_of_the_parser_and_loads_as_written(destination: str) -> None:
    name = plain_name(destination)
    if name is not None:
        assert name == name_of(parse(destination))
        assert effects(destination) <= {RowEffect.SURPRISE}
