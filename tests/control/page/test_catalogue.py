"""The form of each fault is what its model says."""

from __future__ import annotations

import pytest

from chaosproxy.control.page.catalogue import Field, catalogue, form_of
from chaosproxy.faults import REGISTRY, fault_class
from chaosproxy.faults.base import Fault


def _field(fault: str, name: str) -> Field:
    return next(field for field in form_of(fault_class(fault)).fields if field.name == name)


def test_all_faults_are_there_in_their_order() -> None:
    """Each with its summary and its timeline, and fields as users write them."""
    forms = catalogue().forms

    assert [form.type for form in forms] == [fault.type for fault in REGISTRY]
    assert all(form.summary and form.timeline and form.symptom for form in forms)
    texts = [text for form in forms for text in (form.summary, form.detail, *(field.doc for field in form.fields))]
    assert not any("``" in text for text in texts)


def test_limits_choices_units_and_defaults() -> None:
    """Of every kind of setting one."""
    assert _field("http.status", "status").kind == "whole"
    assert (_field("http.status", "status").least, _field("http.status", "status").most) == (400, 599)
    assert _field("stream.truncate", "framing").choices == ("chunked", "close", "length")
    assert _field("stream.truncate", "framing").default == "chunked"
    assert _field("time.stall", "hold").hint == "such as 30s or forever"
    assert _field("http.rate_limit", "quota").kind == "flag"
    assert _field("http.rate_limit", "requests_per_minute").kind == "number"
    assert _field("http.status", "headers").kind == "mapping"
    assert _field("sse.drop", "never").kind == "list"
    assert form_of(fault_class("toxic.latency")).on_connections


@pytest.mark.parametrize("fault", list(REGISTRY), ids=lambda fault: fault.type)
def test_the_proxy_takes_what_the_form_says_stands_there(fault: type[Fault]) -> None:
    """Each default as the text that it is in the form; a mapping as its pairs."""
    given = {field.name: field.default for field in form_of(fault).fields if field.default and field.kind != "mapping"}

    assert fault.model_validate(given) == fault()
