"""C3: the canary says Paris or an explicit error under every fault, and a wrong answer with status 200 is caught.

    pytest experiments/vllm-router/test_canary.py
    VLLM_BACKEND_URL=... VLLM_MODEL_NAME=... pytest --chaos-live experiments/vllm-router/test_canary.py

GATEWAY is the command of your router, with {a}, {b} and {port} in it (load-balancing-gateway/gateway.py, beside this
folder), REPEAT how often the canary is asked without a fault. FAULTS=every goes through the whole catalogue, which
takes minutes (TIMEOUT_S bounds each answer). The live half tries a few of the faults only.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "load-balancing-gateway")]
from canary import SaidSo, ask
from gateway import gateway

from chaosproxy.faults import CATALOGUE

REPEAT = int(os.environ.get("REPEAT", "5"))
BOTH = [
    "http.status flavour=vllm_oom",
    "stream.truncate where=byte:60",
    "llm.empty",
    "http.status flavour=engine_dead",
    "http.status flavour=model_loading",
    "http.status flavour=model_not_found",
    "http.rate_limit retry_after=1",
    "http.html_page status=200",
    "http.ok_error body=error",
    "http.ok_error body=empty",
    "http.ok_error body=json_null",
    "conn.reset",
    "conn.close",
    "conn.partial_head head_bytes=20",
    "llm.usage mode=negative",
]
STREAMED = [
    "stream.truncate where=token:0",
    "stream.truncate where=token:1",
    "stream.reset where=token:1",
    "sse.malformed where=token:1",
    "llm.no_terminal which=both",
    "llm.error_event where=token:0",
    "llm.early_stop where=token:0",
]
ANOTHER_TEXT = ["llm.wrong_answer", "http.plain_reply"]
"""Whole answers with other words, which no router can know; the canary does. The second teaches it not to stream."""


def faults_of(stream, live):
    """Some of the faults that a chat can meet, or all; where they have a place, they strike at its one token."""
    if live:
        return BOTH[:3]
    some = BOTH + STREAMED * stream
    if os.environ.get("FAULTS") != "every":
        return some
    known = {*(fault.split()[0] for fault in some), *ANOTHER_TEXT}
    rest = [fault for fault in CATALOGUE if fault.type not in known and not fault.type.startswith("ws.")]
    placed = [f"{fault.type} where=token:0" if "where" in fault.model_fields else fault.type for fault in rest]
    return [*some, *placed, *ANOTHER_TEXT]


@pytest.mark.chaos_live
def test_paris_every_time(chaos):
    """Without a fault: REPEAT times the same right answer."""
    backend = chaos.backend()
    with gateway(backend.url, backend.url) as url:
        answers = [ask(url, chaos) for _ in range(REPEAT)]
    for answer in answers:
        answer.check()
    assert len({answer.text.strip(" .").lower() for answer in answers}) == 1, answers


@pytest.mark.chaos_live
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_paris_or_an_error(chaos, stream):
    """One fault after another; the router is the same all the time, as in production."""
    backend, wrong = chaos.backend(), []
    with gateway(backend.url, backend.url) as url:
        for fault in faults_of(stream, chaos.live):
            name, *settings = fault.split()
            with backend.fault(name, min_hits=0, **dict(each.split("=", 1) for each in settings)):
                try:
                    ask(url, chaos, stream=stream).check()
                except SaidSo:
                    continue
                except AssertionError as error:
                    if name not in ANOTHER_TEXT:
                        wrong.append(f"{fault}: {error}")
    assert not wrong, "\n".join(wrong)


def test_a_wrong_answer_is_caught(chaos):
    """Fluent, with status 200 and a "stop": the canary fails, and says what one needs to look further."""
    backend = chaos.backend()
    with gateway(backend.url, backend.url) as url, backend.fault("llm.wrong_answer", text="Lyon"):
        answer = ask(url, chaos)
    with pytest.raises(AssertionError, match=r"'Lyon' \(finish_reason=stop, tokens=\d+, model=lab, temperature=0\)"):
        answer.check()
