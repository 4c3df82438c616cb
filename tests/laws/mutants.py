"""Faults with one defect each. The laws alone must find every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from chaosproxy.events import Exchange
from chaosproxy.faults import CATALOGUE, fault_class
from chaosproxy.faults.base import Fault, Stage
from chaosproxy.faults.timing.delay import Delay
from tests.laws.defects import (
    Twist,
    Twisted,
    answers_with_200,
    asks_the_upstream,
    boasts,
    breaks_the_envelope,
    changes_what_it_got,
    cuts_otherwise,
    delays,
    drops_protected_events,
    drops_what_it_delays,
    ends_early,
    goes_on_after_its_end,
    has_a_stale_clock,
    keeps_the_length,
    leaks_the_answer,
    loses_a_byte,
    loses_the_first_frame,
    miscounts_its_body,
    misreads_itself,
    never_ends,
    only_talks,
    repeats_a_frame,
    replaces,
    says_it_twice,
    says_nothing,
    sends_a_foreign_error,
    shares_its_dice,
    snaps_back,
    speaks_another_dialect,
    swaps_frames,
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A defect in words, and the fault that has it."""

    defect: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.fault.room.value}: {self.fault.type} {self.defect}"


def mutant(defect: str, make_twist: Callable[[], Twist], name: str, **values: Any) -> Mutant:
    """A fault of the catalogue whose stages are twisted; each stage gets a twist of its own."""
    healthy = fault_class(name).model_validate(values)

    class Mutated(type(healthy)):  # type: ignore[misc]
        def stage(self, dice: Random, exchange: Exchange) -> Stage:
            return Twisted(healthy.stage(dice, exchange), make_twist())

        @classmethod
        def neutral(cls) -> Fault | None:
            neutral = healthy.neutral()
            return None if neutral is None else cls.model_construct(**dict(neutral))

    return Mutant(defect, Mutated.model_construct(**dict(healthy)))


def misdeclared(defect: str, name: str, declared: dict[str, Any], real: dict[str, Any]) -> Mutant:
    """A fault whose stages do what other settings mean."""
    other = fault_class(name).model_validate(real)
    healthy = fault_class(name).model_validate(declared)

    class Mutated(type(healthy)):  # type: ignore[misc]
        def stage(self, dice: Random, exchange: Exchange) -> Stage:
            return other.stage(dice, exchange)

        @classmethod
        def neutral(cls) -> Fault | None:
            return healthy.neutral()

    return Mutant(defect, Mutated.model_construct(**dict(healthy)))


_EVERYWHERE = (
    ("never ends", never_ends),
    ("goes on after its end", goes_on_after_its_end),
    ("has a stale clock", has_a_stale_clock),
    ("changes what it got", changes_what_it_got),
    ("shares its dice", shares_its_dice),
    ("says nothing", says_nothing),
    ("says it twice", says_it_twice),
    ("boasts", boasts),
    ("only talks", only_talks),
    ("loses a byte", loses_a_byte),
)
_ONE_OF_EACH_ROOM: tuple[tuple[str, dict[str, Any]], ...] = (
    ("http.status", {}),
    ("time.first_token", {"mean": "1s"}),
    ("stream.truncate", {"where": "token:2"}),
    ("llm.error_event", {"where": "token:2"}),
    ("toxic.latency", {"latency": "1s"}),
)

_ELSEWHERE = (
    ("time.stall", "event:2", "event:3"),
    ("stream.truncate", "token:2", "token:3"),
    ("stream.truncate", "byte:33", "byte:34"),
    ("stream.truncate", "percent:50", "percent:60"),
    ("stream.fin", "before_terminal", "after_terminal"),
    ("stream.reset", "token:0", "event:0"),
    ("sse.drop", "token:1", "token:2"),
    ("sse.malformed", "event:2", "event:1"),
    ("llm.error_event", "token:1", "token:0"),
    ("llm.error_event", "token:1", "token:1000"),
)
"""What is declared, and where it really happens."""

_OTHERWISE: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("toxic.latency", {"latency": "1s"}, {"latency": "500ms"}),
    ("toxic.latency", {"latency": "1s", "jitter": "100ms"}, {"latency": "1s", "jitter": "500ms"}),
    ("toxic.bandwidth", {"rate": 1}, {"rate": 2}),
    ("toxic.bandwidth", {"rate": 0}, {"rate": 1}),
    ("toxic.slow_close", {"delay": "2s"}, {"delay": "1s"}),
    ("toxic.timeout", {"timeout": "1s"}, {"timeout": "2s"}),
    ("toxic.timeout", {"timeout": "0s"}, {"timeout": "1s"}),
    ("toxic.reset_peer", {"timeout": "1s"}, {"timeout": "0s"}),
    ("toxic.slicer", {"average_size": 10}, {"average_size": 20}),
    ("toxic.slicer", {"average_size": 10, "delay": "10ms"}, {"average_size": 10}),
    ("toxic.limit_data", {"bytes": 99}, {"bytes": 100}),
)
"""A toxic with settings, and what it really does."""

_IN_EVERY_FAULT = (
    ("says nothing", says_nothing),
    ("only talks", only_talks),
    ("never ends", never_ends),
    ("loses a byte", loses_a_byte),
    ("loses the first frame", loses_the_first_frame),
)
_TOXIC_THAT_ACTS: dict[str, dict[str, Any]] = {
    "toxic.latency": {"latency": "1s"},
    "toxic.bandwidth": {"rate": 1},
    "toxic.slow_close": {"delay": "1s"},
    "toxic.slicer": {"average_size": 10, "delay": "10ms"},
    "toxic.limit_data": {"bytes": 40},
}
_SENDS_NO_FRAME = frozenset({"conn.lost_response", "toxic.timeout", "toxic.reset_peer", "toxic.down"})
"""Where nothing is sent, no byte can be lost."""


def _that_acts(fault: type[Fault]) -> dict[str, Any]:
    """Settings under which it does something to most answers."""
    if fault.type == "llm.schema":
        return {"nullify": "model,message"}
    if fault.type in _TOXIC_THAT_ACTS:
        return _TOXIC_THAT_ACTS[fault.type]
    if issubclass(fault, Delay):
        return {"mean": "1s"}
    if fault.type.startswith("ws."):
        return (
            {"where": "message:1"}
            if "where" in fault.model_fields
            else {"each": 1}
            if "each" in fault.model_fields
            else {}
        )
    return {"where": "token:1"} if "where" in fault.model_fields else {}


def _of_every_fault() -> Iterator[Mutant]:
    for fault in CATALOGUE:
        for defect, twist in _IN_EVERY_FAULT:
            equivalent = fault.type == "toxic.noop" and twist in (only_talks, says_nothing)  # as a noop does
            if not equivalent and not (fault.type in _SENDS_NO_FRAME and defect.startswith("loses")):
                yield mutant(defect, twist, fault.type, **_that_acts(fault))


MUTANTS: tuple[Mutant, ...] = (
    *_of_every_fault(),
    *(mutant(defect, twist, name, **values) for name, values in _ONE_OF_EACH_ROOM for defect, twist in _EVERYWHERE),
    mutant("asks the upstream", asks_the_upstream, "http.status"),
    mutant("asks the upstream", asks_the_upstream, "conn.blackhole"),
    mutant("miscounts its body", miscounts_its_body, "http.rate_limit"),
    mutant("answers with 200", answers_with_200, "http.status"),
    mutant("speaks another dialect", speaks_another_dialect, "http.rate_limit"),
    mutant("has a wrong field", replaces(b'"message"', b'"massage"'), "http.status"),
    mutant("leaks the answer", leaks_the_answer, "conn.lost_response"),
    mutant("never ends", never_ends, "conn.blackhole"),
    mutant("drops what it holds", drops_what_it_delays, "partition", live_streams="stall"),
    mutant("snaps back", snaps_back, "partition", live_streams="stall"),
    mutant("swaps frames", swaps_frames, "time.first_token"),
    mutant("snaps back", snaps_back, "time.stall", hold="2s", where="token:2"),
    mutant("drops what it delays", drops_what_it_delays, "time.inter_token", mean="1s"),
    mutant("ends early", ends_early, "time.inter_token", mean="5s"),
    mutant("has a wrong field", replaces(b'"model"', b'"modal"'), "time.inter_token"),
    mutant("never ends", never_ends, "time.stall"),
    mutant("is never neutral", delays, "time.first_token", mean="0s"),
    mutant("cuts otherwise", cuts_otherwise, "stream.fin", where="token:2"),
    mutant("cuts otherwise", cuts_otherwise, "stream.reset", where="token:2"),
    mutant("is late", delays, "stream.reset", where="token:2"),
    mutant("loses the first frame", loses_the_first_frame, "stream.fin", where="token:2"),
    mutant("keeps the length", keeps_the_length, "sse.drop", each=2),
    mutant("drops protected events", drops_protected_events, "sse.drop", each=2),
    mutant("repeats a frame", repeats_a_frame, "sse.drop", where="token:1"),
    mutant("has a wrong field", replaces(b'"model"', b'"modal"'), "sse.malformed", where="token:1"),
    mutant("is late", delays, "llm.no_terminal"),
    mutant("repeats a frame", repeats_a_frame, "llm.no_terminal"),
    mutant("has a wrong field", replaces(b'"model"', b'"modal"'), "llm.no_terminal", which="finish"),
    mutant("loses the first frame", loses_the_first_frame, "llm.no_terminal", which="both"),
    mutant("misreads itself", misreads_itself, "llm.no_terminal", which="finish"),
    mutant("sends a foreign error", sends_a_foreign_error, "llm.error_event", where="token:1"),
    mutant("breaks the envelope", breaks_the_envelope, "llm.error_event", where="token:1"),
    misdeclared("keeps half the gap", "time.inter_token", {"mean": "1s"}, {"mean": "500ms"}),
    misdeclared("waits half the delay", "time.first_token", {"mean": "1s"}, {"mean": "500ms"}),
    misdeclared(
        "holds half as long", "time.stall", {"hold": "2s", "where": "token:2"}, {"hold": "1s", "where": "token:2"}
    ),
    misdeclared("drops every other one only", "sse.drop", {"each": 2}, {"each": 4}),
    misdeclared("forgets its offset", "sse.drop", {"each": 2, "offset": 1}, {"each": 2}),
    mutant("swaps frames", swaps_frames, "toxic.slicer", average_size=10),
    mutant("snaps back", snaps_back, "toxic.latency", latency="1s"),
    mutant("drops what it delays", drops_what_it_delays, "toxic.latency", latency="1s"),
    mutant("ends early", ends_early, "toxic.slow_close", delay="5s"),
    mutant("cuts otherwise", cuts_otherwise, "toxic.limit_data", bytes=40),
    mutant("cuts otherwise", cuts_otherwise, "toxic.reset_peer"),
    mutant("cuts otherwise", cuts_otherwise, "toxic.timeout", timeout="1s"),
    mutant("is late", delays, "toxic.noop"),
    *(misdeclared(f"does what {real} means", name, declared, real) for name, declared, real in _OTHERWISE),
    *(
        misdeclared(f"acts at {real}, not at {declared},", name, {"where": declared}, {"where": real})
        for name, declared, real in _ELSEWHERE
    ),
)
