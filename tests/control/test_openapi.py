"""The control API does what its OpenAPI document says: schemathesis makes requests of it, right ones and wrong ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from chaosproxy.control.guard import Rates
from chaosproxy.control.openapi import document
from chaosproxy.control.routes import EVENT_STREAM, ROUTES, Route
from tests.control.plane import plane_beside, rule

HEADERS = {"Authorization": "Bearer a-token-for-this-test"}
EXAMPLES = 20
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
    unsupported_method,
]
"""Not positive_data_acceptance: the parts of a rule may contradict each other in ways that no schema can say."""
ENDING = [route for route in ROUTES if route.hears != EVENT_STREAM]
"""The events never end; tests of their own read them."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A real server, as patient as a test needs it."""
    with plane_beside("a-token-for-this-test", rates=Rates(1e9, 1e9)) as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("route", ENDING, ids=lambda route: route.name)
def test_it_does_what_its_document_says(route: Route, url: str) -> None:
    """Statuses, media types, bodies, tokens and methods are as documented, and wrong data is refused, never a 500."""
    schema = schemathesis.openapi.from_url(f"{url}/v1/openapi.json", headers=HEADERS)
    schema.config.update(base_url=url)
    operation = schema[route.path][route.method]
    right, wrong = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(case=operation.as_strategy(generation_mode=right) | operation.as_strategy(generation_mode=wrong))
    def check(case: Any) -> None:
        case.call_and_validate(headers=HEADERS, checks=CHECKS)

    check()


def test_the_document_knows_what_a_client_sends() -> None:
    """The schema of a body accepts a real one, in the units of the file, and refuses a misspelt key."""
    schemas = document()["components"]["schemas"]
    text = json.dumps({"$defs": schemas, **schemas["Inject"]}).replace("#/components/schemas/", "#/$defs/")
    validator = Draft202012Validator(json.loads(text))
    real = {"rule": rule(share="50%").model_dump(mode="json", by_alias=True, exclude_defaults=True), "lease": "30s"}

    assert validator.is_valid(real)
    assert not validator.is_valid({**real, "leese": "30s"})
    assert not validator.is_valid({**real, "lease": 30})
