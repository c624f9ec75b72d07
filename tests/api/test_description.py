"""Every operation against its own description, by schemathesis: requests that fit it, and others.

The cases are few here: SCHEMATHESIS_CASES=2000 in the environment runs as many for each operation.
"""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    missing_required_header,
    positive_data_acceptance,
    unsupported_method,
    use_after_free,
)

from efcp.api.urls import description
from efcp.proxies.models import Proxy
from tests.api.conftest import make_token
from tests.factories import DestinationFactory, RuleFactory, UserFactory

CASES = int(os.environ.get("SCHEMATHESIS_CASES", "0"))

_wsgi = cache(get_wsgi_application)


def application(environ: Any, start_response: Any) -> Any:
    """The panel, set up by the first request of a test."""
    return _wsgi()(environ, start_response)


schema: Any = schemathesis.openapi.from_dict(description())
schema.app = application
# Without a number of cases, only a few drawn ones: CI has no time for every value of every field.
schema.config.phases.coverage.enabled = bool(CASES)
schema.config.checks.negative_data_rejection.expected_statuses += ["413", "414"]


@pytest.fixture
def secret(db: None) -> Iterator[str]:
    """The secret of a token that may do everything, and some rows to find."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    DestinationFactory.create()
    RuleFactory.create()
    UserFactory.create()
    Proxy.objects.create(name="edge", mi_url="http://127.0.0.1:9/mi", enabled=False)
    yield make_token()[1]
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@schema.parametrize()  # type: ignore[untyped-decorator]
@settings(
    max_examples=CASES or 3,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_described(case: Any, secret: str) -> None:
    if "wait" in (case.query or {}):
        case.query = {name: value for name, value in case.query.items() if name != "wait"}
    case.call_and_validate(
        headers={"Authorization": f"Bearer {secret}"},
        # A form refuses values that no schema can exclude; 428 for a missing version has its own test.
        excluded_checks=[
            positive_data_acceptance,
            use_after_free,
            unsupported_method,
            missing_required_header,
        ],
    )
