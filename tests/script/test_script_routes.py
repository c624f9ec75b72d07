"""Routes of a script that choose a destination, as the previews take them."""

from dataclasses import replace

import pytest

from efcp.script.checking.overview import TableFacts, overview
from efcp.script.knowledge.facts import knowledge_of
from efcp.script.language.reading import read_text
from efcp.script.script_routes import Handling, ScriptRoute, script_routes
from efcp.script.writing.answers import Answers, GroupAnswers
from efcp.script.writing.script import write
from tests.script.combinations import combinations


def routes(text: str, version: str = "3.4") -> tuple[ScriptRoute, ...]:
    """What a script's routes say."""
    return script_routes(overview(read_text(text, "t.cfg"), knowledge_of(version), TableFacts()))


def expected_handling(group: GroupAnswers) -> Handling | None:
    """What the writer was asked to do with a failure."""
    if not group.failure_route:
        return None
    return Handling(group.failure_route, group.mark.value, group.try_next, group.try_next, group.last_code)


@pytest.mark.parametrize("answers", list(combinations())[::5], ids=lambda answers: answers.version)
def test_what_was_written_is_read_back(answers: Answers) -> None:
    found = {route.name: route for route in routes(write(answers).text, answers.version)}
    assert set(found) == {group.route for group in answers.groups}
    for group in answers.groups:
        route = found[group.route]
        assert (route.set_id, route.algorithm, route.flags) == (group.set_id, group.algorithm, group.flags)
        assert (route.maximum, route.threshold) == (group.maximum, answers.threshold)
        assert route.handling == expected_handling(group)


FAILURE = "failure_route[f] {{ {} }}\n"


def handling(body: str) -> Handling | None:
    """What a failure route of this body does."""
    text = 'route { ds_select_dst(1, 4, "f"); t_on_failure("f"); t_relay(); }\n' + FAILURE.format(body)
    return routes(text)[0].handling


NOTHING = Handling("f", "", tries_next=False, armed_again=False, last_code=None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("exit;", NOTHING),
        ("ds_mark_dst();", replace(NOTHING, mark="i")),
        ('ds_mark_dst("p");', replace(NOTHING, mark="p")),
        ('ds_mark_dst("a");', NOTHING),
        ("if (ds_next_dst()) t_relay();", replace(NOTHING, tries_next=True)),
        ('t_on_failure("f"); ds_next_dst();', replace(NOTHING, tries_next=True, armed_again=True)),
        ('t_reply(480, "Later");', replace(NOTHING, last_code=480)),
        ("t_reply($var(code), $var(why));", NOTHING),
    ],
)
def test_a_failure_route_shows_what_it_does(body: str, expected: Handling) -> None:
    assert handling(body) == expected


def test_what_a_called_route_does_counts() -> None:
    text = (
        "route { ds_select_dst(1, 4); route(relay); }\n"
        'route[relay] { t_on_failure("f"); t_relay(); }\n'
        "failure_route[f] { route(again); }\n"
        'route[again] { ds_mark_dst("p"); ds_next_dst(); }\n'
    )
    (route,) = routes(text)
    assert route.handling == Handling("f", "p", tries_next=True, armed_again=False, last_code=None)


def test_the_value_of_a_variable_is_not_guessed() -> None:
    (route,) = routes("route { ds_select_dst($var(set), $var(alg), $var(flags)); }\n")
    assert (route.set_id, route.algorithm, route.flags, route.handling) == (None, None, None, None)


def test_a_script_without_a_selection_has_no_routes() -> None:
    assert routes("route { exit; }\n") == ()
    assert routes("") == ()


def test_a_failure_route_that_is_not_there_does_nothing() -> None:
    (route,) = routes('route { ds_select_dst(1, 4); t_on_failure("gone"); }\n')
    assert route.handling == replace(NOTHING, route="gone")
