"""Asking proxies in threads and storing what they answer."""

import logging

import pytest
from django.db import DatabaseError

from efcp.proxies.asking import Target, target_of
from efcp.proxies.models import Proxy
from efcp.proxies.threads import ask_and_store


def targets(*names: str) -> list[Target]:
    return [target_of(Proxy(name=name, mi_url="http://127.0.0.1:9/mi")) for name in names]


def name_of(target: Target) -> str:
    return target.proxy.name


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
        assert set(ask_and_store(targets("a", "b", "c"), name_of, store)) == {"a", "c"}
    assert "no room" in caplog.text


@pytest.mark.django_db
def test_a_fault_in_asking_one_proxy_loses_none_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def ask_one(target: Target) -> str:
        if target.proxy.name == "b":
            raise RuntimeError("a fault")
        return target.proxy.name

    with caplog.at_level(logging.ERROR):
        assert set(ask_and_store(targets("a", "b", "c"), ask_one, str)) == {"a", "c"}
    assert "a fault" in caplog.text


def test_without_a_target_nothing_is_asked() -> None:
    assert ask_and_store([], name_of, str) == []
