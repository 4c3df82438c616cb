"""Builds the journals of made-up runs: a clock that starts at 100, an origin, faults, calls and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from chaosproxy.journal.fingerprint import Fingerprint, fingerprint
from chaosproxy.journal.reading import Journal, merge
from chaosproxy.journal.records import AnyRecord, Ended, FaultEdge, Healed, Mark, Opened, Run, to_line
from chaosproxy.journal.traffic import Call, CallError, Edge, ExchangeRecord, FaultHit, FaultMiss, Sent
from chaosproxy.lab.load.marks import kept_chars
from chaosproxy.steady_state.claims import Claims, Expectation, PlannedFault, Window
from chaosproxy.steady_state.expression import parse_expression, parse_window
from chaosproxy.steady_state.history import History, history_of

ORIGIN = 100.0
WHOLE = "The quick brown fox jumps over the lazy dog, and then it rests. " * 4
CUT = WHOLE[:100]
LOSSY = WHOLE[:40] + WHOLE[60:]


def text_of(text: str) -> Fingerprint:
    """The fingerprint of a text."""
    return fingerprint(text)


def edge(at: float, text: str = WHOLE, **changes: Any) -> Edge:
    """One side of an exchange that streamed ``text`` whole, unless ``changes`` say otherwise."""
    whole = {
        "status": 200,
        "head_at": at + 0.1,
        "first_content_at": at + 0.2 if text else None,
        "end_at": at + 1,
        "ended": "end",
        "tokens": len(text) // 5,
        "terminal": True,
        "finish": "stop",
        "text": text_of(text),
    }
    return Edge(**{**whole, **changes})


def cut_edge(at: float, text: str = CUT, **changes: Any) -> Edge:
    """A side that ended early and clean."""
    return edge(at, text, **{"terminal": False, "finish": None, **changes})


def silent_edge(at: float, until: float, ended: str = "gone") -> Edge:
    """A side on which nothing ever came."""
    return Edge(end_at=until, ended=ended)  # type: ignore[arg-type]


def refusing_edge(at: float, status: int, **changes: Any) -> Edge:
    """A side that answered with an error status."""
    return Edge(status=status, head_at=at + 0.1, end_at=at + 0.1, ended="end", **changes)


def expectation(text: str, over: str = "all", **settings: Any) -> Expectation:
    """An expectation; its id is its measure."""
    expect = parse_expression(text)
    windows: tuple[Window, ...] = tuple(parse_window(window) for window in over.split(", "))
    return Expectation(settings.pop("id", expect.measure), expect, windows, **settings)


@dataclass
class Drill:
    """A run of 60 s with two backends; everything is given in seconds after the origin."""

    claims: Claims = field(
        default_factory=lambda: Claims(
            name="drill",
            question="Does it hold?",
            hypothesis=(),
            gate=(),
            gate_window_s=5.0,
            aborts=(),
            faults=(),
            backends=("primary", "secondary"),
            oracle="lab",
            warmup_s=2.0,
            lasts_s=60.0,
            quiet_tail_s=10.0,
        )
    )
    records: list[AnyRecord] = field(default_factory=list)
    ended: str | None = "completed"
    healed: bool | None = True
    lasts_s: float = 60.0
    run_settings: dict[str, Any] = field(default_factory=dict)

    def expect(self, text: str, over: str = "all", **settings: Any) -> None:
        """Claim something."""
        self.claims = replace(self.claims, hypothesis=(*self.claims.hypothesis, expectation(text, over, **settings)))

    def fault(self, name: str, kind: str, target: str, at: float, lasts: float, **settings: Any) -> None:
        """Plan a fault and apply it on time."""
        min_hits = settings.get("min_hits", 1)
        counts_hits = settings.get("counts_hits", True)
        planned = PlannedFault(name, kind, (target,), min_hits, at, lasts, counts_hits)
        self.claims = replace(self.claims, faults=(*self.claims.faults, planned))
        for what, when in (("applied", at), ("healed", at + lasts)):
            self.records.append(
                FaultEdge(fault=name, edge=what, at=ORIGIN + when, listeners=[target], fault_type=kind)  # type: ignore[arg-type]
            )

    def exchange(self, call: str | None, listener: str, at: float, **settings: Any) -> str:
        """One request of a call; ``hit`` names the fault that acted on it, ``missed`` those that did not, and why."""
        at += ORIGIN
        exchange = f"x{len(self.records)}"
        hit, missed = settings.pop("hit", None), settings.pop("missed", {})
        if hit is not None:
            self.records.append(FaultHit(fault=hit, at=at, listener=listener, exchange=exchange, call=call))
        facts: dict[str, Any] = {
            "ordinal": 1,
            "attempt": 1,
            "method": "POST",
            "path": "/v1/chat/completions",
            "dialect": "openai.chat",
            "model": "m",
            "stream": True,
            "asked_at": at,
            "received": edge(at),
            "sent": edge(at),
            "misses": [FaultMiss(fault=fault, reason=reason) for fault, reason in missed.items()],
            **settings,
        }
        self.records.append(ExchangeRecord(id=exchange, listener=listener, call=call, began_at=at, **facts))
        return exchange

    def call(self, name: str, at: float, text: str = WHOLE, took: float = 1.0, **changes: Any) -> str:
        """One call as its client saw it: whole and prompt, unless ``changes`` say otherwise; ``error`` is a kind."""
        at += ORIGIN
        error = changes.pop("error", None)
        facts: dict[str, Any] = {
            "load": "chat",
            "number": 1,
            "api": "openai.chat",
            "stream": True,
            "model": "m",
            "sent_at": at,
            "head_at": at + 0.1,
            "first_content_at": at + 0.2 if text else None,
            "last_content_at": at + took if text else None,
            "end_at": at + took,
            "status": 200,
            "error": None if error is None else CallError(kind=error),
            "finish": None if error else "stop",
            "terminal": error is None,
            "chunks": len(text) // 5,
            "text": text_of(text),
            "expected": text_of(WHOLE),
        }
        if not {"text", "expected"} & changes.keys():
            facts["kept_chars"] = kept_chars(text, WHOLE)
        self.records.append(Call(id=name, intended_at=at, **{**facts, **changes}))
        return name

    def sent(self, name: str, at: float) -> str:
        """A call that was sent; without more it has not ended."""
        at += ORIGIN
        facts: dict[str, Any] = {"load": "chat", "number": 1, "api": "openai.chat", "stream": True, "model": "m"}
        self.records.append(Sent(id=name, intended_at=at, sent_at=at, **facts))
        return name

    def good(self, name: str, at: float, listener: str = "primary", **changes: Any) -> str:
        """A call that one backend answered whole."""
        self.exchange(name, listener, at)
        return self.call(name, at, **changes)

    def traffic(self, first: float, last: float, listener: str = "primary", each: float = 1.0) -> None:
        """Good calls at a steady rate, from ``first`` up to but not including ``last``."""
        at, number = first, 0
        while at < last:
            self.good(f"good-{listener}-{first:g}-{number}", at, listener)
            number += 1
            at = first + number * each

    def journal(self) -> Journal:
        """The whole journal, in order."""
        frame: list[AnyRecord] = [
            Opened(process="runner", host="h", pid=1, mono=ORIGIN - 3, wall=1.0, chaosproxy="0"),
            Run(id="r1", name="drill", seed=7, nonce="n", file="drill.yaml", file_sha256="0", **self.run_settings),
            Mark(name="warmup", at=ORIGIN - 2),
            Mark(name="origin", at=ORIGIN),
            Mark(name="over", at=ORIGIN + self.lasts_s),
        ]
        if self.healed is not None:
            frame.append(Healed(at=ORIGIN + self.lasts_s + 2, verified=self.healed))
        if self.ended is not None:
            frame.append(Ended(at=ORIGIN + self.lasts_s + 3, how=self.ended))  # type: ignore[arg-type]
        return merge([Journal((*frame, *self.records))])

    def lines(self) -> list[str]:
        """The journal as it stands in its file."""
        return [to_line(record).decode() for record in self.journal().records]

    def history(self) -> History:
        """The journal, joined."""
        return history_of(self.journal().records, self.claims)
