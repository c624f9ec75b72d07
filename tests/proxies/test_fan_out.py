"""Asking one proxy or many at once in threads, and storing what they answer."""

import logging
from collections.abc import Callable

import pytest
from django.db import DatabaseError

from efcp.mi import MiClient, MiError, RefusedError, UnreachableError
from efcp.proxies import mi_password
from efcp.proxies.fan_out import Answer, NotSentError, Target, ask, fan_out, target_of
from efcp.proxies.models import Proxy
from tests.proxies.mi_server import FakeMi


def named(name: str, url: str = "http://127.0.0.1:9/mi", **more: object) -> Proxy:
    """A proxy's row, not stored: asking needs no database."""
    return Proxy(name=name, mi_url=url, **more)


def targets(*names: str) -> list[Target]:
    return [target_of(named(name)) for name in names]


def name_of(target: Target) -> str:
    return target.proxy.name


def version(client: MiClient) -> str:
    return client.version().version


def test_an_answer_is_a_value_or_an_error(mi: FakeMi, make_mi: Callable[[], FakeMi]) -> None:
    refusing = make_mi()
    refusing.refusal = "ERROR Unknown partition"
    gone = make_mi()
    gone_url = gone.url
    gone.stop()
    answers = [
        ask(target_of(named(url, url)), lambda client: client.ds_list(partition="default"))
        for url in (mi.url, refusing.url, gone_url)
    ]
    gone.start()
    assert answers[0].value.partition("default") is not None
    assert isinstance(answers[1].error, RefusedError)
    assert isinstance(answers[2].error, UnreachableError)


@pytest.mark.django_db
def test_dead_proxies_do_not_delay_the_others(mi: FakeMi, make_mi: Callable[[], FakeMi]) -> None:
    """The dead ones hang until the answer of the live one is stored."""
    dead = [make_mi() for _ in range(3)]
    for each in dead:
        each.hangs = True
    stored: list[str] = []

    def store(answer: Answer[str]) -> None:
        stored.append(answer.proxy.name)
        if answer.proxy.name == "live":
            for each in dead:
                each.ending.set()

    rows = [named(f"dead-{number}", each.url) for number, each in enumerate(dead)]
    chosen = [target_of(row) for row in (*rows, named("live", mi.url))]
    fan_out(chosen, lambda target: ask(target, version, limit_s=25.0), store)
    assert stored[0] == "live"
    assert sorted(stored) == ["dead-0", "dead-1", "dead-2", "live"]


def test_the_value_of_a_failed_answer_raises_its_error() -> None:
    answer = ask(target_of(named("x", "ftp://h/mi")), version)
    with pytest.raises(NotSentError, match="must begin with http"):
        _ = answer.value


def test_a_stored_password_is_sent(mi: FakeMi) -> None:
    mi.requires = "Basic dTrDpDpi"
    proxy = named("x", mi.url, mi_username="u", mi_password_encrypted=mi_password.encrypt("ä:b"))
    assert ask(target_of(proxy), version).error is None


def test_a_fault_of_the_question_itself_is_not_blamed_on_the_proxy(mi: FakeMi) -> None:
    def faulty(_client: MiClient) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(target_of(named("x", mi.url)), faulty)


def test_not_sent_is_an_mi_error() -> None:
    assert issubclass(NotSentError, MiError)


@pytest.mark.parametrize("error", [RuntimeError, DatabaseError])
@pytest.mark.django_db
def test_an_answer_that_can_not_be_stored_loses_none_of_the_others(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    def store(name: str) -> str:
        if name == "b":
            raise error("no room")
        return name

    with caplog.at_level(logging.ERROR):
        assert set(fan_out(targets("a", "b", "c"), name_of, store)) == {"a", "c"}
    assert "no room" in caplog.text


@pytest.mark.django_db
def test_a_fault_in_asking_one_proxy_loses_none_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def ask_one(target: Target) -> str:
        if target.proxy.name == "b":
            raise RuntimeError("a fault")
        return target.proxy.name

    with caplog.at_level(logging.ERROR):
        assert set(fan_out(targets("a", "b", "c"), ask_one, str)) == {"a", "c"}
    assert "a fault" in caplog.text


def test_without_a_target_nothing_is_sent() -> None:
    assert fan_out([], name_of, str) == []
