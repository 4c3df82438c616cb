"""The optional package of spans."""

from __future__ import annotations

import sys

import pytest

from chaosproxy.control.serve import _spans
from chaosproxy.errors import UserError
from chaosproxy.journal.records import Opened


def test_without_the_extra_the_flag_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no traceback."""
    monkeypatch.delitem(sys.modules, "chaosproxy.control.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    opened = Opened(process="proxy", host="h", pid=1, mono=0.0, wall=0.0, chaosproxy="0")

    with pytest.raises(UserError, match=r"pip install 'chaosproxy\[otel\]'"):
        _spans("http://127.0.0.1:4318/v1/traces", opened)


def test_a_mistake_of_our_own_is_not_taken_for_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only OpenTelemetry's modules are optional."""
    monkeypatch.delitem(sys.modules, "chaosproxy.control.spans", raising=False)
    monkeypatch.setitem(sys.modules, "chaosproxy.control.outcomes", None)
    opened = Opened(process="proxy", host="h", pid=1, mono=0.0, wall=0.0, chaosproxy="0")

    with pytest.raises(ModuleNotFoundError):
        _spans("http://127.0.0.1:4318/v1/traces", opened)
