"""Every fault, from the built wheel, for every request that it claims: a hit, and the declared difference only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.faults import CATALOGUE, build
from chaosproxy.faults.base import Fault
from chaosproxy.journal.records import FaultEdge
from tests.e2e.wheel_bench import HELD, Ask, Proxied, Socket, View, asks, proxied, speak
from tests.functional.wire_kit import upstream
from tests.wheel_kit import Installed

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Check = Callable[[View, View], bool]
ALL = frozenset({"status", "fields", "framing", "body", "end"})


@dataclass(frozen=True, slots=True)
class Declared:
    """``must`` differ and ``may`` differ (aspects of View), how it ends, how long it takes at least, and a check."""

    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    end: str = "end"
    late_s: float = 0.0
    check: Check = lambda healthy, broken: True
    settings: dict[str, Any] = field(default_factory=dict)


def _prefix(healthy: View, broken: View) -> bool:
    return healthy.body.startswith(broken.body)


def _shorter(healthy: View, broken: View) -> bool:
    return len(broken.body) < len(healthy.body)


def _longer(healthy: View, broken: View) -> bool:
    return len(broken.body) > len(healthy.body)


def _same_length(healthy: View, broken: View) -> bool:
    return len(broken.body) == len(healthy.body)


def _only(name: str) -> Check:
    """One header field differs."""
    return lambda healthy, broken: {key for key, _ in healthy.fields.items() ^ broken.fields.items()} == {name}


def _of_bytes(count: int) -> Check:
    return lambda healthy, broken: len(broken.raw) == count


def _status(*expected: int) -> Check:
    return lambda healthy, broken: broken.status in expected


def _body(check: Check = lambda healthy, broken: True, **more: Any) -> Declared:
    return Declared(frozenset({"body"}), check=check, **more)


def _cut(end: str, check: Check = _prefix, **more: Any) -> Declared:
    return Declared(frozenset({"body", "end"}), end=end, check=check, **more)


def _instead(check: Check) -> Declared:
    return Declared(frozenset({"body"}), may=ALL - {"end"}, check=check)


SOCKET = Socket()
AT_2 = {"where": "token:2"}
MODELS = "model,modelVersion,response.model,message.model"
OF_NO_SINGLE_ANSWER = frozenset({"conn.cap", "toxic.noop"})
"""A cap needs two calls at once, and has a test of its own here; a noop hits nobody."""
DECLARED: dict[str, Declared] = {
    "http.status": _instead(_status(503)),
    "http.rate_limit": _instead(_status(429)),
    "http.retry_hint": _instead(_status(503)),
    "http.html_page": _instead(lambda healthy, broken: b"<html" in broken.body.lower()),
    "http.ok_error": _instead(_status(200)),
    "http.plain_reply": _instead(_status(200)),
    "http.foreign_error": _instead(_status(500)),
    "conn.refuse": Declared(ALL, end="refused"),
    "conn.reset": Declared(ALL, end="reset"),
    "conn.close": Declared(ALL, end="fin"),
    "conn.partial_head": Declared(ALL, end="fin", check=_of_bytes(30)),
    "conn.blackhole": Declared(ALL, end="hang"),
    "conn.slow_accept": Declared(late_s=0.2, settings={"hold": "200ms"}),
    "conn.lost_response": Declared(ALL, end="hang"),
    "time.first_byte": Declared(late_s=0.2, settings={"mean": "200ms"}),
    "time.first_token": Declared(late_s=0.2, settings={"mean": "200ms"}),
    "time.inter_token": Declared(late_s=0.15, settings={"mean": "20ms"}),
    "time.stall": _cut("hang"),
    "time.keepalive_only": _cut("hang", _shorter, settings={"period": "2s"}),
    "time.buffer": Declared(),
    "time.bandwidth": Declared(late_s=0.1, settings={"bytes_per_second": 1000, "chunk_bytes": 50}),
    "time.linger": Declared(frozenset({"end"}), may=frozenset({"framing"}), end="hang"),
    "stream.truncate": _body(_prefix),
    "stream.fin": _cut("fin"),
    "stream.reset": _cut("reset"),
    "stream.cut_event": _body(_prefix),
    "stream.chunk_size": _cut("protocol"),
    "stream.length": Declared(frozenset({"end"}), may=frozenset({"framing"}), end="fin"),
    "stream.encoding": Declared(frozenset({"fields"}), check=_only("content-encoding")),
    "stream.unclean_end": Declared(frozenset({"end"}), may=frozenset({"framing"}), end="fin"),
    "stream.content_type": Declared(frozenset({"fields"}), check=_only("content-type")),
    "sse.drop": _body(_shorter, settings=AT_2),
    "sse.duplicate": _body(_longer, settings=AT_2),
    "sse.reorder": _body(lambda healthy, broken: sorted(healthy.body) == sorted(broken.body), settings=AT_2),
    "sse.malformed": _body(_shorter),
    "sse.split": _body(_longer),
    "sse.merge": _body(_shorter),
    "sse.comment": _body(_longer),
    "sse.field": _body(_longer),
    "sse.empty": _body(_longer),
    "sse.comment_as_data": _body(_longer),
    "sse.utf8": _body(settings={"mode": "invalid"}),
    "sse.line_end": _body(lambda healthy, broken: broken.body.replace(b"\r\n", b"\n") == healthy.body),
    "sse.line_separator": _body(_longer),
    "sse.event_name": _body(_shorter),
    "llm.error_event": _body(),
    "llm.foreign_error_event": _body(),
    "llm.no_terminal": _body(_shorter),
    "llm.early_stop": _body(),
    "llm.empty": _body(_shorter),
    "llm.choices": _body(_longer),
    "llm.dialect_swap": Declared(frozenset({"body"}), may=frozenset({"fields"})),
    "llm.cross_stream": _body(_longer),
    "llm.tool_args_cut": _body(_shorter),
    "llm.finish_reason": _body(),
    "llm.refusal": _body(),
    "llm.usage": _body(),
    "llm.repeat": _body(_longer),
    "llm.model_swap": _body(_longer),
    "llm.wrong_answer": _body(),
    "llm.schema": _body(_shorter, settings={"drop": MODELS}),
    "body.truncate": _cut("fin", settings={"bytes": 50}),
    "body.corrupt": _body(_same_length),
    "body.ignore_range": _instead(_status(200)),
    "body.range_416": _instead(_status(416)),
    "partition": Declared(ALL, end="hang"),
    "ws.close": _body(lambda healthy, broken: broken.body.endswith(b"\x88\x02\x03\xf3"), settings={"code": 1011}),
    "ws.delay": Declared(late_s=0.2, settings={"mean": "200ms"}),
    "ws.drop": _body(_shorter, settings={"each": 2}),
    "toxic.latency": Declared(late_s=0.2, settings={"latency": "200ms"}),
    "toxic.bandwidth": Declared(late_s=0.05, settings={"rate": 3}),
    "toxic.slow_close": Declared(late_s=0.2, settings={"delay": "200ms"}),
    "toxic.timeout": Declared(ALL, end="fin", check=_of_bytes(0), settings={"timeout": "1s"}),
    "toxic.reset_peer": Declared(ALL, end="reset"),
    "toxic.slicer": Declared(settings={"average_size": 50, "delay": "0.1ms"}),
    "toxic.limit_data": Declared(ALL, end="fin", check=_of_bytes(50), settings={"bytes": 50}),
    "toxic.down": Declared(ALL, end="refused"),
}


async def faulty(at: Proxied, fault: Fault, declared: Declared, healthy: dict[Ask | Socket, View]) -> list[str]:
    """What is not as declared, request by request."""
    listener, wrong, hits = fault.type.replace(".", "-"), [], 0
    answers = [ask for ask in asks(tool=fault.type == "llm.tool_args_cut") if ask.claimed_by(fault)]
    for ask in [SOCKET] if fault.on_messages else answers:
        view = await at.see(listener, ask, hits + 1 if declared.end == "hang" else None)
        if declared.end == "refused":  # the kernel answers: there is no exchange and no hit, only the fault's edge
            applied = [
                each for each in at.journal.records if isinstance(each, FaultEdge) and listener in each.listeners
            ]
            hits += bool(applied)
            wrong += [f"{ask.name}: no edge in the journal"] * (not applied)
        else:
            record = await at.journal.until_exchange(listener, ask.path.partition("?")[0])
            wrong += [f"{ask.name}: upstream: {record.error}"] * (record.error is not None)
            if len(at.journal.hits(listener)) <= hits:
                wrong.append(f"{ask.name}: no hit: {record.misses}")
                continue
            hits = len(at.journal.hits(listener))
        wrong += [f"{ask.name}: {words}" for words in differences(declared, healthy[ask], view)]
    return [f"{fault.type}: {words}" for words in (wrong if hits else [*wrong, "it never hit"])]


def differences(declared: Declared, healthy: View, view: View) -> list[str]:
    """In what a view is not as declared."""
    found, wrong = view.differs(healthy), []
    if not declared.must <= found or found - declared.must - declared.may:
        wrong.append(f"differs in {sorted(found)}, declared {sorted(declared.must)}, allowed {sorted(declared.may)}")
    if view.end != declared.end:
        wrong.append(f"ends with {view.end}, declared {declared.end}")
    if view.took_s < declared.late_s:
        wrong.append(f"took {view.took_s:.3f} s, declared {declared.late_s} s")
    if not declared.check(healthy, view):
        wrong.append("the check of its entry does not hold")
    return wrong


def test_every_fault_has_an_entry() -> None:
    """A new fault says here what a client sees."""
    of_answers = {fault.type for fault in CATALOGUE} - OF_NO_SINGLE_ANSWER
    missing = sorted(of_answers - set(DECLARED))
    assert not missing, f"add to DECLARED what differs at a client, its end and a check, for {', '.join(missing)}"
    assert set(DECLARED) == of_answers


async def test_every_fault_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    """Each on a listener of its own; the requests of one fault follow each other, the faults go side by side."""
    described = {name: {"type": name, **declared.settings} for name, declared in DECLARED.items()}
    async with upstream(speak) as server_side, proxied(installed, server_side.url, described, tmp_path) as at:
        every: list[Ask | Socket] = [*asks(), *asks(tool=True), SOCKET]
        healthy = {ask: await at.see("healthy", ask) for ask in every}
        assert {view.end for view in healthy.values()} == {"end"}
        todo = [faulty(at, build(described[name]), declared, healthy) for name, declared in DECLARED.items()]
        wrong = [words for found in await asyncio.gather(*todo) for words in found]

    assert not wrong, "\n".join(wrong)


async def test_a_cap_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    """While one call is under way the next one is refused, and when it is over the next one passes."""
    cap = {"type": "conn.cap", "connections": 1, "excess": "refuse"}
    async with upstream(speak) as server_side, proxied(installed, server_side.url, {"conn.cap": cap}, tmp_path) as at:
        ask = next(asks())
        reader, writer = await at.connect("conn-cap")
        writer.write(f"GET {HELD} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        assert (await reader.readuntil(b"hel")).endswith(b"hel")

        refused = await at.see("conn-cap", ask)
        writer.close()
        await at.journal.until_exchange("conn-cap", HELD)
        passed = await at.see("conn-cap", ask)

        assert (refused.raw, refused.end) == (b"", "reset")
        assert len(at.journal.hits("conn-cap")) == 1
        assert (passed.status, passed.end) == (200, "end")
