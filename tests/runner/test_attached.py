"""What a proxy that runs already must have in common with the file."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from chaosproxy.control.messages import ListenerStatus, Status
from chaosproxy.runner.attached import Attachment, contradictions
from tests.control.plane import plane
from tests.experiment.files import LAB, lab

LIMITS = {
    "max_upstream_requests": 5000,
    "max_upstream_rate": "50/s",
    "max_upstream_tokens": 500000,
    "max_cost": 2.0,
    "prices": {"*": {"input": 1, "output": 1}},
}


def there(upstream: str = "http://127.0.0.1:8000", **facts: Any) -> Status:
    """A proxy with the listeners of the file, in front of ``upstream``."""
    listener = ListenerStatus(url="http://127.0.0.1:9001", upstream=upstream, dialect="auto")
    listeners = {"primary": listener.model_copy(update=facts), "secondary": listener}
    return Status(
        chaosproxy="0",
        instance="i",
        mono=0.0,
        wall=0.0,
        listeners=listeners,
        active=(),
        open_exchanges=0,
        events="i-0",
    )


@pytest.mark.parametrize(
    ("status", "sections", "words"),
    [
        (there(role="fallback"), {}, "primary is primary in the file, and fallback there"),
        (there(), {"safety": {"allow_hosts": ["*.staging"]}}, "'127.0.0.1', which is not in safety.allow_hosts"),
        (there("https://api.openai.com"), {}, "it misses max_upstream_requests, max_upstream_rate, max_upstream_tok"),
    ],
)
def test_what_does_not_fit_is_said(status: Status, sections: dict[str, Any], words: str) -> None:
    """Before anything is injected."""
    said = [*contradictions(lab(**sections), status)]
    assert said
    assert all(words in line or "secondary" in line for line in said)
    assert any(words in line for line in said)


@pytest.mark.parametrize("upstream", ["http://127.0.0.1:8000", "https://api.openai.com", "tcp://redis.staging:6379"])
def test_a_file_with_limits_fits_any_upstream(upstream: str) -> None:
    """Nothing contradicts."""
    assert [*contradictions(lab(safety=LIMITS), there(upstream))] == []


def test_a_port_of_bytes_needs_no_limits_of_requests() -> None:
    """Nobody could count them there."""
    assert [*contradictions(lab(), there("tcp://redis.staging:6379"))] == []


async def test_a_claim_is_kept_while_the_run_starts() -> None:
    """Systems of the file may need many times the lease until they are ready; nobody else comes in meanwhile."""
    async with plane(names=("primary", "secondary")) as there:
        experiment = lab(
            topology={**LAB["topology"], "attach": {"control": there.url}},
            safety={**LIMITS, "lease": "1s"},
            abort=["elapsed > 5m", {"when": "error_rate > 90%"}],
        )
        async with Attachment(experiment, "run-1", 1, time.monotonic):
            until_s = time.monotonic() + 3
            while time.monotonic() < until_s:
                assert list(there.desk.status().claims) == ["run-1"]
                await asyncio.sleep(0.05)
        assert there.desk.status().claims == {}
