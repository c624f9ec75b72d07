"""No page waits for a proxy, but the tests that people begin by a button; of those few run at once."""

import sys
import threading
from collections.abc import Iterator

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from dialplan import services as rules
from dialplan.cases import services as cases
from dialplan.translation.rules import RuleRow
from dispatcher import services as destinations
from dispatcher.routing.rows import DestinationRow
from efcp.accounts.roles import Role
from efcp.audit.services import Actor
from efcp.mi import MiClient
from efcp.operations import cleanup_tasks
from efcp.operations.alerts.models import Channel, NotificationRule
from efcp.proxies import shared_questions
from efcp.proxies.fan_out import target_of
from efcp.proxies.models import Proxy, SharedAnswer, SharedQuestion
from efcp.proxies.shared_questions import (
    MOST_REQUESTS,
    QuestionsBusyError,
    Survey,
    begin,
    is_open,
    waits_for_others,
)
from tests.conftest import ClientAs
from tests.factories import ProxyFactory
from tests.sandbox.fixtures import opensips_tables, wait_until
from tests.test_hostile_requests import ADDRESSES

__all__ = ["opensips_tables"]

SOMEBODY = Actor("somebody")
DOCUMENTED = {"proxies:test", "proxies:try-new", "proxies:try-edited", "notifications:test"}
"""Views that connect to another machine within the request; `waits_for_others` limits them."""

SENT = {
    "dpid": "1",
    "of": "1",
    "input": "0301",
    "setid": "1",
    "proxy": "1",
    "proxies": "1",
    "confirmed": "on",
    "name": "edge-9",
    "mi_url": "http://127.0.0.1:9/mi",
    "partition": "default",
    "state": "inactive",
}

_watched: list[str] = []
_request_threads: set[threading.Thread] = set()


def _note(event: str, _given: object) -> None:
    if event == "socket.connect" and _request_threads:
        thread: threading.Thread | None = threading.current_thread()
        while thread is not None and thread not in _request_threads:
            thread = getattr(thread, "started_by", None)
        if thread is not None:
            _watched.append(event)


sys.addaudithook(_note)


@pytest.fixture
def connections_opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What this thread connects to, itself or by threads it begins, but for those of `in_background`."""
    start = threading.Thread.start

    def start_noting(thread: threading.Thread) -> None:
        work = getattr(thread, "_target", None)
        if not getattr(work, "__qualname__", "").startswith("in_background."):
            thread.started_by = threading.current_thread()  # type: ignore[attr-defined]
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_noting)
    _request_threads.add(threading.current_thread())
    _watched.clear()
    yield _watched
    _request_threads.clear()


@pytest.fixture
def administrator(opensips_tables: None, client_as: ClientAs) -> Client:
    """Who may do everything, with one of each thing, and a proxy that refuses connections."""
    Proxy.objects.all().delete()
    ProxyFactory.create(pk=1, name="edge")
    rule = NotificationRule(pk=1, name="hook", channel=Channel.WEBHOOK, since=timezone.now())
    rule.url = "http://127.0.0.1:9/"
    rule.save()
    destinations.add(DestinationRow(setid=1, destination="sip:127.0.0.1:9"), SOMEBODY)
    rules.add(RuleRow(dpid=1, match_exp="^0"), SOMEBODY)
    cases.save(1, "0301", "0301", SOMEBODY)
    return client_as(Role.ADMINISTRATOR)


def test_only_the_documented_views_connect_to_a_proxy(
    administrator: Client, connections_opened: list[str]
) -> None:
    connecting = set()
    for name, numbers in ADDRESSES:
        if name in {"accounts:sign-out", "proxies:delete"}:
            continue
        address = reverse(name, args=[1] * numbers)
        for method in ("get", "post"):
            for headers in ({}, {"HX-Request": "true"}):
                getattr(administrator, method)(address, SENT, headers=headers)
                if connections_opened:
                    connecting.add(name)
                connections_opened.clear()
    wait_until(lambda: not any(map(is_open, SharedQuestion.objects.all())))
    assert connecting <= DOCUMENTED
    assert "proxies:test" in connecting


def test_tests_beyond_the_limit_are_refused() -> None:
    started, may_end = threading.Semaphore(0), threading.Event()

    def view(_request: HttpRequest) -> HttpResponse:
        started.release()
        may_end.wait(20)
        return HttpResponse("done")

    limited, request = waits_for_others(view), RequestFactory().post("/")
    threads = [threading.Thread(target=limited, args=(request,)) for _ in range(MOST_REQUESTS)]
    try:
        for thread in threads:
            thread.start()
        assert all(started.acquire(timeout=20) for _ in threads)
        refused = limited(request)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    finally:
        may_end.set()
        for thread in threads:
            thread.join()
    assert limited(request).status_code == 200


def test_a_question_is_sent_once_for_all_and_only_so_many_at_once(opensips_tables: None) -> None:
    Proxy.objects.all().delete()
    proxy = ProxyFactory.create(name="edge")
    may_end = threading.Event()
    times: list[str] = []

    def survey(key: str) -> Survey[bool]:
        def question(_client: MiClient) -> bool:
            times.append(key)
            return may_end.wait(20)

        return Survey(key, key, [target_of(proxy)], question, lambda _answer: "{}", 3.0, 20.0)

    try:
        first = [begin(survey("a"), "somebody") for _ in range(5)]
        assert {each.pk for each in first} == {first[0].pk}
        for number in range(shared_questions.MOST_AT_ONCE - 1):
            begin(survey(str(number)), "somebody")
        with pytest.raises(QuestionsBusyError):
            begin(survey("one too many"), "somebody")
        assert begin(survey("a"), "somebody else").pk == first[0].pk
    finally:
        may_end.set()
        wait_until(lambda: not any(map(is_open, SharedQuestion.objects.all())))
    assert begin(survey("a"), "somebody").pk == first[0].pk
    assert times.count("a") == 1


@pytest.mark.django_db
def test_housekeeping_deletes_old_questions_with_their_answers() -> None:
    now = timezone.now()
    proxy = ProxyFactory.create(name="edge")
    for key, age in (
        ("old", cleanup_tasks.QUESTIONS_KEPT_FOR * 2),
        ("new", cleanup_tasks.QUESTIONS_KEPT_FOR / 2),
    ):
        question = SharedQuestion.objects.create(key=key, title=key, started_at=now - age, deadline=now)
        question.answers.create(proxy=proxy)
    assert cleanup_tasks.prune_questions(now) == 1
    assert [each.question.key for each in SharedAnswer.objects.all()] == ["new"]
