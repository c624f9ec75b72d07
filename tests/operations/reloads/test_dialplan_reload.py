"""Reloading the dialplan: the prediction, what is sent, and what the proxy is compared with afterwards."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dialplan import services as rules
from dialplan.cases import services as cases
from dialplan.loaded import pending_rules
from dialplan.translation.rules import RuleRow
from efcp.accounts.roles import Role
from efcp.mi import Endpoint, MiClient
from efcp.modules.registry import ReloadOutcome
from efcp.operations.reloads import services
from efcp.operations.reloads.loaded_rules import RulesOnProxy
from efcp.operations.reloads.models import ReloadResult, ReloadRun
from efcp.operations.reloads.services import ReloadRequest
from efcp.operations.runs import RunHandle
from efcp.proxies.fan_out import target_of
from efcp.proxies.load_reports import LoadReports
from efcp.proxies.models import Proxy
from efcp.proxies.selectors import watched_proxies
from tests.conftest import ClientAs
from tests.factories import ProxyFactory, store_load_reports
from tests.operations.conftest import SOMEBODY
from tests.sandbox.fixtures import RunningSandbox, opensips_tables, sandbox, wait_until

__all__ = ["opensips_tables", "sandbox"]

RELOAD = "operations_dialplan:reload"


@pytest.fixture
def box(sandbox: RunningSandbox) -> Proxy:
    """The only proxy."""
    Proxy.objects.all().delete()
    return ProxyFactory.create(name="edge", mi_url=sandbox.mi_url)


@pytest.fixture
def add_rule(opensips_tables: None) -> Callable[..., int]:
    """Return a function that adds a rule to dialplan 1."""

    def add(match_exp: str, **columns: str) -> int:
        return rules.add(RuleRow(dpid=1, match_exp=match_exp, **columns), SOMEBODY)  # type: ignore[arg-type]

    return add


def broken_rule() -> None:
    """A rule that the panel refuses, as another program would write it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dialplan (dpid, pr, match_op, match_exp, match_flags, disabled)"
            " VALUES (1, 0, 0, '', 0, 0)"
        )


def read_reports(proxy: Proxy) -> None:
    """Store the proxy's last load, as the watcher does."""
    endpoint = target_of(proxy).endpoint
    assert isinstance(endpoint, Endpoint)
    ring = MiClient(endpoint).sr_list_reports("dialplan", "default").of("dialplan", "default")
    assert ring is not None
    store_load_reports(proxy, "dialplan", "default", LoadReports(timezone.now(), ring))


def loaded_after_asking(client: Client) -> RulesOnProxy:
    """What the page shows of the only proxy once it ran the test cases."""
    client.post(reverse("operations_dialplan:ask-cases"))
    address = reverse("operations_dialplan:loaded-rules")
    wait_until(lambda: not client.get(address).context["is_open"])
    (loaded,) = client.get(address).context["on_proxies"]
    assert isinstance(loaded, RulesOnProxy)
    return loaded


def reload(*proxies: Proxy) -> RunHandle[ReloadRun]:
    """Reload and wait until every proxy has answered."""
    started = services.start(proxies, ReloadRequest(module="dialplan"), SOMEBODY)
    assert started.ended.wait(15)
    return started


def sent(proxy: Proxy, **more: str) -> dict[str, str]:
    """The form of the page."""
    return {"proxy": str(proxy.pk), "reason": "", **more}


def test_a_reload_is_clean_where_counts_and_cases_are_those_of_the_table(
    box: Proxy, add_rule: Callable[..., int]
) -> None:
    add_rule("^0(.*)$", subst_exp="^0(.*)$", repl_exp="+49\\1")
    cases.save(1, "0301", "+49301", SOMEBODY)
    result = reload(box).run.results.get()
    assert (result.outcome, result.loaded, result.discarded) == (ReloadOutcome.DONE, 1, 0)
    assert (result.differs, result.notes) == (0, [])


def test_a_case_that_the_proxy_answers_otherwise_is_reported(
    box: Proxy, sandbox: RunningSandbox, add_rule: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rule("^0(.*)$", subst_exp="^0(.*)$", repl_exp="+49\\1")
    cases.save(1, "0301", "+49301", SOMEBODY)
    monkeypatch.setattr(sandbox.process.proxy, "reload_dialplan", lambda: None)
    result = reload(box).run.results.get()
    assert result.differs == 2
    assert result.notes == [
        "“0301” in dialplan 1: the proxy returns nothing, the table “+49301”.",
        "Loaded 0 rules and rejected 0; the table predicts 1 and 0.",
    ]


def test_nothing_is_sent_where_a_rule_would_break_the_whole_reload(box: Proxy) -> None:
    broken_rule()
    result = reload(box).run.results.get()
    assert result.outcome == ReloadOutcome.NOT_SENT
    assert "match_exp" in result.message


def test_a_reload_of_the_dispatcher_that_is_under_way_is_no_reason_to_wait(box: Proxy) -> None:
    dispatcher = services.start([box], ReloadRequest(), SOMEBODY)
    dialplan = services.start([box], ReloadRequest(module="dialplan"), SOMEBODY)
    assert dispatcher.ended.wait(15)
    assert dialplan.ended.wait(15)
    assert (dispatcher.is_new, dialplan.is_new, ReloadRun.objects.count()) == (True, True, 2)


def test_the_page_foretells_what_is_loaded_and_what_is_discarded(
    box: Proxy, client_as: ClientAs, add_rule: Callable[..., int]
) -> None:
    add_rule("^0")
    add_rule("^1(")
    prediction = client_as(Role.VIEWER).get(reverse(RELOAD)).context["prediction"]
    assert (prediction.loaded, prediction.discarded, len(prediction.dropped)) == (1, 1, 1)


def test_where_a_case_fails_the_reload_has_to_be_meant(box: Proxy, client_as: ClientAs) -> None:
    cases.save(1, "0301", "+49301", SOMEBODY)
    operator = client_as(Role.OPERATOR)
    assert operator.post(reverse(RELOAD), sent(box)).status_code == 422
    assert not ReloadRun.objects.exists()
    page = operator.post(reverse(RELOAD), sent(box, allow_failures="on"), follow=True)
    assert [line.outcome for line in page.context["lines"]] == [ReloadOutcome.DONE]


def test_the_page_of_a_run_is_under_its_own_module(box: Proxy, client_as: ClientAs) -> None:
    run = reload(box).run
    viewer = client_as(Role.VIEWER)
    assert viewer.get(run.get_absolute_url()).status_code == 200
    assert viewer.get(reverse("operations:run", args=[run.pk])).status_code == 404


def test_loaded_rules_are_compared_by_counts_and_cases(
    box: Proxy, sandbox: RunningSandbox, client_as: ClientAs, add_rule: Callable[..., int]
) -> None:
    sandbox.call("dp_reload")
    add_rule("^0(.*)$", subst_exp="^0(.*)$", repl_exp="+49\\1")
    cases.save(1, "0301", "+49301", SOMEBODY)
    read_reports(box)
    loaded = loaded_after_asking(client_as(Role.VIEWER))
    assert loaded.load is not None
    assert (loaded.load.loaded, loaded.cases, len(loaded.differing)) == (0, 1, 1)


def test_a_proxy_that_does_not_answer_is_reported(box: Proxy, client_as: ClientAs) -> None:
    Proxy.objects.update(mi_url="http://127.0.0.1:9/mi")
    cases.save(1, "0301", "+49301", SOMEBODY)
    assert loaded_after_asking(client_as(Role.VIEWER)).problem
    result = reload(Proxy.objects.get()).run.results.get()
    assert (result.outcome, result.differs) == (ReloadOutcome.NOT_REACHED, None)


@pytest.mark.parametrize(
    ("role", "shown", "posted"),
    [
        (None, 302, 302),
        (Role.VIEWER, 200, 403),
        (Role.OPERATOR, 200, 302),
        (Role.ADMINISTRATOR, 200, 302),
    ],
)
def test_everybody_sees_the_page_and_operators_reload(
    box: Proxy, client_as: ClientAs, role: Role | None, shown: int, posted: int
) -> None:
    client = client_as(role)
    assert client.get(reverse(RELOAD)).status_code == shown
    assert client.post(reverse(RELOAD), sent(box)).status_code == posted
    assert ReloadResult.objects.exists() == (role in (Role.OPERATOR, Role.ADMINISTRATOR))


def test_a_reload_remembers_the_rules_that_were_loaded(box: Proxy, add_rule: Callable[..., int]) -> None:
    kept = add_rule("^0", repl_exp="a")
    reload(box)
    add_rule("^1", repl_exp="b")
    (found,) = pending_rules(watched_proxies())
    assert (found.why, found.words) == ("", "1 added")
    assert [change.rule.id for change in found.shown] != [kept]
