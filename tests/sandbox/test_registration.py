"""The sandbox among the proxies of the panel."""

import pytest

from efcp.proxies.models import Proxy
from efcp.sandbox.seed import register
from tests.factories import ProxyFactory

pytestmark = pytest.mark.django_db


def test_at_first_it_is_added() -> None:
    register(8888)
    sandbox = Proxy.objects.get()
    assert (sandbox.name, sandbox.mi_url, sandbox.is_sandbox) == ("trial", "http://127.0.0.1:8888/mi", True)


def test_another_port_is_noted_and_what_an_administrator_edited_stays() -> None:
    register(8888)
    Proxy.objects.update(name="playground", enabled=False)
    register(8889)
    sandbox = Proxy.objects.get()
    assert (sandbox.name, sandbox.mi_url, sandbox.enabled) == (
        "playground",
        "http://127.0.0.1:8889/mi",
        False,
    )


def test_a_real_proxy_keeps_its_name_and_address() -> None:
    ProxyFactory.create(name="trial", mi_url="http://10.0.0.1:8888/mi")
    register(8888)
    assert dict(Proxy.objects.values_list("name", "mi_url")) == {
        "trial": "http://10.0.0.1:8888/mi",
        "trial-2": "http://127.0.0.1:8888/mi",
    }
