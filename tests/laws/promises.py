"""What each room allows, and what each fault of the catalogue declares to do with the bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from chaosproxy.events import TOKEN, Abort, Ask, Cut, End, Frame, Framing, Head, Kind
from chaosproxy.faults.admission.partition import Partition
from chaosproxy.faults.base import Fault, Room
from chaosproxy.faults.framing.chosen import ChosenEvents
from chaosproxy.faults.framing.drop import SseDrop
from chaosproxy.faults.framing.duplicate import SseDuplicate
from chaosproxy.faults.framing.early_end import EarlyEnd
from chaosproxy.faults.framing.malformed import SseMalformed
from chaosproxy.faults.framing.truncate import StreamTruncate
from chaosproxy.faults.semantic.error_event import LlmErrorEvent, LlmForeignErrorEvent
from chaosproxy.faults.semantic.no_terminal import LlmNoTerminal
from chaosproxy.faults.where import Where
from chaosproxy.testing.lateness import later_never_different, times
from chaosproxy.testing.places import bytes_before, place_of
from chaosproxy.testing.trial import Law, Trial
from chaosproxy.wire.dialects.base import payload
from chaosproxy.wire.dialects.editing import text_span
from tests.laws.edits import ANSWERS, EDITS
from tests.laws.lateness import as_late_as_declared
from tests.laws.toxics import as_the_toxic_declares

# everywhere ---------------------------------------------------------------------------------------------------------


def it_acts_at_its_place(fault: Fault, done: Trial) -> str | None:
    """A fault that is there from the start hits when its place comes, unless it says what it cannot do there."""
    where = getattr(fault, "where", None)
    if where is None or done.hit or done.case.exchange.seen.open or fault.neutral() == fault:
        return None
    place = place_of(where, done.case)
    if place is None or not done.case.lasts(done.case.frames[place[0]]):
        return None
    if not (done.head and done.head.streamed) and not fault.type.startswith(("stream.", "time.", "body.")):
        return None  # bytes can be counted, but there is no event to do anything to
    frame, following = done.case.frames[place[0]], done.case.frames[place[0] + 1 :][:1]
    alone = not following or not done.case.lasts(following[0])
    excused = {
        "stream.truncate": bool(frame.kind & Kind.TERMINAL) and place[1] == len(frame.data),
        "sse.malformed": not _is_event(payload(done.case.dialect, frame.data)),
        "llm.early_stop": bool(frame.kind & (Kind.FINISH | Kind.TERMINAL)),
        "llm.refusal": bool(frame.kind & (Kind.FINISH | Kind.TERMINAL)),
        "llm.repeat": not frame.kind & TOKEN,
        "sse.line_separator": text_span(frame.data, frame.meaning.text) is None,
        "sse.split": not _is_event(payload(done.case.dialect, frame.data)),
        "sse.merge": alone or payload(done.case.dialect, following[0].data) is None,
        "sse.reorder": alone or following[0].data == frame.data,
    }
    if isinstance(fault, ChosenEvents) and any(_protected(fault, each) for each in (frame, *following)):
        return None
    return None if excused.get(fault.type, False) else f"{where} lies in {frame}, and it said {done.said}"


# admission ----------------------------------------------------------------------------------------------------------


def it_never_asks_the_upstream(fault: Fault, done: Trial) -> str | None:
    """Lost responses are the named exception: the upstream is asked, and nothing of its answer arrives."""
    if not done.hit or done.case.exchange.seen.open:
        return None
    asked = any(isinstance(event, Ask) for event in done.out)
    loses = getattr(fault, "mode", "") == "lost_response" or fault.type == "conn.lost_response"
    if loses:
        leaked = [event for event in done.out if isinstance(event, Head | Frame | End)]
        return None if asked and not leaked else f"the lost answer arrived in part: {leaked}, asked: {asked}"
    return "the upstream was asked" if asked else None


def its_answer_is_native(fault: Fault, done: Trial) -> str | None:
    """What it answers is an error in the provider's own shape."""
    if not done.hit or not isinstance(done.ends[0], End) or done.case.exchange.seen.open:
        return None
    if fault.type in ANSWERS:
        return ANSWERS[fault.type](fault, done)
    head, body = done.head, b"".join(frame.data for frame in done.frames)
    if head is None or head.status < 400:
        return f"no error status: {head}"
    if not _is_json(body):
        return f"not JSON: {body!r}"
    told = json.loads(body)
    if done.case.exchange.dialect == "raw":
        return None if "error" in told else f"no error in {body!r}"
    native = _SHAPES[done.case.exchange.dialect](told) and bool(done.case.dialect.read_answer(body).kind & Kind.ERROR)
    return None if native else f"not the error shape of {done.case.exchange.dialect}: {body!r}"


def _openai_error(payload: dict[str, Any]) -> bool:
    return set(payload) == {"error"} and set(payload["error"]) == {"message", "type", "param", "code"}


def _anthropic_error(payload: dict[str, Any]) -> bool:
    return payload.get("type") == "error" and set(payload["error"]) == {"type", "message"}


def _gemini_error(told: dict[str, Any]) -> bool:
    error = told["error"]
    retries = [detail["retryDelay"] for detail in error.get("details", ())]
    waits = len(retries) == (error["code"] == 429) and all(re.fullmatch(r"[0-9.]+s", delay) for delay in retries)
    return set(told) == {"error"} and {*error} - {"details"} == {"code", "message", "status"} and waits


def _array_of_one(told: Any) -> bool:
    return isinstance(told, list) and len(told) == 1 and _gemini_error(told[0])


def _ollama_error(told: dict[str, Any]) -> bool:
    return set(told) == {"error"} and isinstance(told["error"], str)


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "openai.chat": _openai_error,
    "openai.responses": _openai_error,
    "anthropic.messages": _anthropic_error,
    "gemini": _gemini_error,
    "gemini.array": _array_of_one,
    "ollama": _ollama_error,
    "ollama.generate": _ollama_error,
}


def open_streams_are_cut_or_late(fault: Fault, done: Trial) -> str | None:
    """A fault that reaches open exchanges leaves a beginning of the answer, or all of it later."""
    return later_never_different(fault, done) if isinstance(fault, Partition) and done.case.exchange.seen.open else None


# framing ------------------------------------------------------------------------------------------------------------


def only_what_was_declared(fault: Fault, done: Trial) -> str | None:
    """Each frame comes at its time and is one that came in, but for what the fault declares."""
    return _PROMISES.get(fault.type, _nothing_declared)(fault, done)


def _nothing_declared(fault: Fault, done: Trial) -> str | None:
    known = {frame.data for frame in done.case.frames}
    return next((f"{frame} was never sent" for frame in done.frames if frame.data not in known), None)


def _a_beginning(fault: Fault, done: Trial) -> str | None:
    """truncate, fin, reset: a beginning of the body, each byte at its time, then the declared end."""
    given, got = times(done.case.events), times(done.out)
    if not given[0].startswith(got[0]):
        return "not a beginning of the body"
    held = isinstance(fault, StreamTruncate) and fault.framing == "length"
    if not held and given[1][: len(got[1])] != got[1]:
        return "bytes came at other times"
    if not done.hit:
        return None if len(got[0]) == len(given[0]) else "bytes are missing"
    assert isinstance(fault, EarlyEnd)
    place = place_of(fault.where, done.case)
    if place is None or len(got[0]) != bytes_before(place, done.case):
        return f"it ended after {len(got[0])} bytes, and {fault.where} is {place}"
    expected = {"stream.truncate": End, "stream.fin": Abort, "stream.reset": Abort}[fault.type]
    how = {"stream.fin": Cut.FIN, "stream.reset": Cut.RESET}.get(fault.type)
    right = isinstance(done.ends[0], expected) and getattr(done.ends[0], "how", None) is how
    return None if right else f"it ended with {done.ends[0]}"


def _frames_are_missing(fault: Fault, done: Trial) -> str | None:
    """sse.drop: every frame that is due and none that is not, whole, and never a protected one."""
    assert isinstance(fault, SseDrop)
    expected = [
        frame
        for index, frame in enumerate(done.case.frames)
        if not (_is_due(fault, done, index) and done.case.lasts(frame) and not _protected(fault, frame))
    ]
    return None if done.frames == expected else f"got {done.frames}, expected {expected}"


def _frames_come_twice(fault: Fault, done: Trial) -> str | None:
    """sse.duplicate: every frame that is due comes twice, and no other."""
    assert isinstance(fault, SseDuplicate)
    expected = []
    for index, frame in enumerate(done.case.frames):
        twice = _is_due(fault, done, index) and done.case.lasts(frame) and not _protected(fault, frame)
        expected += [frame] * (1 + twice)
    return None if done.frames == expected else f"got {done.frames}, expected {expected}"


def _is_due(fault: ChosenEvents, done: Trial, index: int) -> bool:
    """Whether the settings mean this one of the frames to come."""
    case, head = done.case, done.case.head
    too_late = case.exchange.seen.head is not None and case.exchange.seen.head.framing is Framing.LENGTH
    if head is None or not head.streamed or too_late:
        return False
    if fault.each is not None:
        number = case.exchange.seen.events + index + 1 - fault.offset
        return number > 0 and number % fault.each == 0
    place = place_of(fault.where or Where("token", 5), case)
    return place is not None and place[0] == index


def _protected(fault: ChosenEvents, frame: Frame) -> bool:
    return bool({*fault.never} & {*Kind.words(frame.kind)})


def _one_payload_is_broken(fault: Fault, done: Trial) -> str | None:
    """sse.malformed: one frame differs, the declared one, in its payload only."""
    assert isinstance(fault, SseMalformed)
    pairs = list(zip(done.case.frames, done.frames, strict=False))
    changed = [(given, got) for given, got in pairs if given.data != got.data]
    if len(pairs) != len(done.case.frames) or any(given.at != got.at for given, got in pairs):
        return "frames were lost, added or moved"
    if len(changed) != done.hit:
        return f"{len(changed)} frames changed, hit: {done.hit}"
    place = place_of(fault.where, done.case)
    if changed and (place is None or done.case.frames[place[0]] is not changed[0][0]):
        return f"{changed[0][0]} was broken, and {fault.where} is {place}"
    for given, got in changed:
        found = done.case.dialect.payload.search(given.data)
        assert found is not None
        before, after = given.data[: found.start(1)], given.data[found.end(1) :]
        if not (got.data.startswith(before) and got.data.endswith(after) and len(got.data) > len(before + after)):
            return f"more than the payload changed: {got.data!r}"
        if _is_event(got.data[len(before) : len(got.data) - len(after)].decode("utf-8", "replace")):
            return f"the payload is not broken: {got.data!r}"
    return None


def _is_event(told: str | None) -> bool:
    return _is_json(told or "") and isinstance(json.loads(told or ""), dict)


def _is_json(told: str | bytes) -> bool:
    try:
        json.loads(told)
    except ValueError:
        return False
    return True


# semantic -----------------------------------------------------------------------------------------------------------


def it_still_parses(fault: Fault, done: Trial) -> str | None:
    """Every frame is what the dialect reads in it, none is broken, and all come at their time."""
    if done.head is None or not done.head.streamed or fault.type == "llm.dialect_swap":
        return None  # of a foreign stream its own promise tells whether it parses
    for frame in done.frames:
        told = payload(done.case.dialect, frame.data)
        if told is not None and told != "[DONE]" and not _is_event(told):
            return f"not an event: {frame.data!r}"
        if told is not None and frame.meaning != done.case.dialect.read_event(frame.data):
            return f"its meaning is not what the dialect reads: {frame}"
    return None


def _an_error_ends_it(fault: Fault, done: Trial) -> str | None:
    """llm.error_event: the stream up to the declared place, the error, a clean end."""
    assert isinstance(fault, LlmErrorEvent | LlmForeignErrorEvent)
    if not done.hit:
        return None if list(done.frames) == done.case.frames else "the answer was changed"
    if not done.frames:
        return "there is no error event"
    *kept, error = done.frames
    place = place_of(fault.where, done.case)
    if place is None or kept != done.case.frames[: place[0] + bool(place[1])]:
        return f"the error came after {len(kept)} events, or they were changed, and {fault.where} is {place}"
    native = error.kind & Kind.ERROR or isinstance(fault, LlmForeignErrorEvent)
    if not native or b"rror" not in error.data or not isinstance(done.ends[0], End):
        return f"it ended with {error.data!r} and {done.ends[0]}"
    body = b"".join(frame.data for frame in done.frames)
    closed = any(frame.kind & Kind.TERMINAL for frame in kept)  # what follows the bracket is no part of the array
    if (
        done.case.exchange.dialect == "gemini.array"
        and not closed
        and not done.case.exchange.seen.open
        and not _is_json(body)
    ):
        return f"the array is broken: {body!r}"
    named = getattr(fault, "error_type", None)
    return None if named is None or named.encode() in error.data else f"not of type {named}: {error.data!r}"


_FINISH = re.compile(rb'"(finish_reason|stop_reason|finishReason|done_reason|status)":\s*("\w+"|null)')


def _marks_are_missing(fault: Fault, done: Trial) -> str | None:
    """llm.no_terminal: while it lasts, the terminal event is missing or the finish reason is null; nothing else."""
    assert isinstance(fault, LlmNoTerminal)
    marks = {"done": {"done"}, "stop_event": {"done"}, "finish": {"finish"}, "both": {"done", "finish"}}[fault.which]
    expected = []
    for frame in done.case.frames:
        lasts = done.hit and (done.case.heal_at is None or frame.at < done.case.heal_at)
        if not (lasts and "done" in marks and frame.kind & Kind.TERMINAL):
            expected.append(
                (frame.at, _FINISH.sub(b"", frame.data), None if lasts and "finish" in marks else frame.meaning.finish)
            )
    got = [(frame.at, _FINISH.sub(b"", frame.data), frame.meaning.finish) for frame in done.frames]
    return None if got == expected else "more or less than the declared marks was changed"


_PROMISES: dict[str, Law] = {
    "stream.truncate": _a_beginning,
    "stream.fin": _a_beginning,
    "stream.reset": _a_beginning,
    "sse.drop": _frames_are_missing,
    "sse.duplicate": _frames_come_twice,
    "sse.malformed": _one_payload_is_broken,
    **EDITS,
    "llm.error_event": _an_error_ends_it,
    "llm.foreign_error_event": _an_error_ends_it,
    "llm.no_terminal": _marks_are_missing,
}

ROOM_LAWS: dict[Room, tuple[Law, ...]] = {
    Room.ADMISSION: (it_never_asks_the_upstream, its_answer_is_native, open_streams_are_cut_or_late),
    Room.TIMING: (later_never_different, as_late_as_declared, it_acts_at_its_place),
    Room.FRAMING: (only_what_was_declared, it_acts_at_its_place),
    Room.SEMANTIC: (it_still_parses, only_what_was_declared, it_acts_at_its_place),
    Room.TOXIC: (as_the_toxic_declares,),
}
