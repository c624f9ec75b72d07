"""Asking many proxies at once."""

import time
from collections.abc import Callable

import pytest

from efcp.mi import MiError, RefusedError, TooSlowError, UnreachableError
from efcp.proxies import mi_password
from efcp.proxies.asking import NotAskedError, ask_all, target_of
from efcp.proxies.models import Proxy
from tests.proxies.mi_server import MiServer


def named(name: str, url: str, **more: object) -> Proxy:
    """A proxy's row, not stored: asking needs no database."""
    return Proxy(name=name, mi_url=url, **more)


def test_each_answer_is_a_value_or_an_error_in_the_order_of_the_targets(
    mi: MiServer, make_mi: Callable[[], MiServer]
) -> None:
    refusing = make_mi()
    refusing.refusal = "ERROR Unknown partition"
    gone = make_mi()
    gone_url = gone.url
    gone.stop()
    targets = [target_of(named(str(url), url)) for url in (mi.url, refusing.url, gone_url)]
    answers = ask_all(targets, lambda client, target: client.ds_list(partition=target.partition))
    gone.start()
    assert answers[0].value.partition("default") is not None
    assert isinstance(answers[1].error, RefusedError)
    assert isinstance(answers[2].error, UnreachableError)


def test_dead_proxies_delay_the_others_by_nothing(mi: MiServer, make_mi: Callable[[], MiServer]) -> None:
    dead = [make_mi() for _ in range(3)]
    for each in dead:
        each.hangs = True
    targets = [target_of(named(each.url, each.url)) for each in (*dead, mi)]
    started = time.monotonic()
    answers = ask_all(targets, lambda client, _target: client.version(), limit_s=1.0)
    whole = time.monotonic() - started
    assert [type(answer.error) for answer in answers] == [TooSlowError] * 3 + [type(None)]
    assert answers[3].took < 1.0
    assert whole < 2.5, "three dead proxies, one after the other, would take 3 s"


def test_the_value_of_a_failed_answer_raises_its_error() -> None:
    answer = ask_all([target_of(named("x", "ftp://h/mi"))], lambda client, _target: client.version())[0]
    with pytest.raises(NotAskedError, match="must begin with http"):
        _ = answer.value


def test_a_stored_password_is_sent(mi: MiServer) -> None:
    mi.requires = "Basic dTrDpDpi"
    proxy = named("x", mi.url, mi_username="u", mi_password_encrypted=mi_password.encrypt("ä:b"))
    answer = ask_all([target_of(proxy)], lambda client, _target: client.version())[0]
    assert answer.error is None


def test_nobody_to_ask_is_no_answers() -> None:
    assert ask_all([], lambda client, _target: client.version()) == []


def test_a_fault_of_the_question_itself_is_not_taken_for_the_proxys(mi: MiServer) -> None:
    def faulty(_client: object, _target: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask_all([target_of(named("x", mi.url))], faulty)


def test_not_asked_is_an_mi_error() -> None:
    assert issubclass(NotAskedError, MiError)
