"""What the faults declare that edit an answer: each promise compares what the client got with what was sent."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable
from typing import Any

from chaosproxy.events import TOKEN, Abort, End, Frame, Head, Kind, Meaning, Unframed
from chaosproxy.faults.admission.ok_error import HttpOkError
from chaosproxy.faults.base import Fault
from chaosproxy.faults.foreign import foreign
from chaosproxy.faults.framing.chosen import ChosenEvents
from chaosproxy.faults.framing.cut_event import StreamCutEvent
from chaosproxy.faults.framing.download import BodyCorrupt, BodyTruncate
from chaosproxy.faults.framing.inserted import InsertedLines
from chaosproxy.faults.framing.length import StreamLength
from chaosproxy.faults.semantic.cross_stream import LlmCrossStream
from chaosproxy.faults.semantic.dialect_swap import LlmDialectSwap
from chaosproxy.faults.semantic.finish_reason import LlmFinishReason
from chaosproxy.faults.semantic.model_swap import LlmModelSwap
from chaosproxy.faults.semantic.repeat import LlmRepeat
from chaosproxy.faults.semantic.retold import LlmWrongAnswer
from chaosproxy.faults.semantic.tool_args_cut import LlmToolArgsCut
from chaosproxy.faults.websocket.close import WsClose
from chaosproxy.faults.websocket.drop import WsDrop
from chaosproxy.testing.places import bytes_before, place_of
from chaosproxy.testing.trial import Law, Trial
from chaosproxy.wire.foreign_json import fields, parse
from chaosproxy.wire.sse import read_event

Same = Callable[[Frame, Frame], bool]


def given_body(done: Trial) -> bytes:
    """What was still to come."""
    return b"".join(frame.data for frame in done.case.frames)


def got_body(done: Trial) -> bytes:
    """What came."""
    return b"".join(frame.data for frame in done.frames)


def _untouched(done: Trial) -> str | None:
    return None if got_body(done) == given_body(done) else f"it missed, and the body is {got_body(done)!r}"


def when_hit(promise: Law) -> Law:
    """A fault that did not hit leaves every byte as it was."""

    def law(fault: Fault, done: Trial) -> str | None:
        return promise(fault, done) if done.hit else _untouched(done)

    return law


# framing ------------------------------------------------------------------------------------------------------------


def _ends_inside_the_event(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, StreamCutEvent)
    place = place_of(fault.where, done.case)
    if place is None or not isinstance(done.ends[0], End):
        return f"{fault.where} is {place}, and it ended with {done.ends[0]}"
    event = done.case.frames[place[0]].data
    kept = len(event) // 2 if fault.byte is None else fault.byte
    if fault.where.unit in ("byte", "percent"):
        kept = place[1]
        if not kept:
            return f"cut {fault.where}, which lies between two events"
    begin = bytes_before((place[0], 0), done.case)
    return None if got_body(done) == given_body(done)[: begin + kept] else f"got {got_body(done)!r}"


def _one_line_outside_the_body(fault: Fault, done: Trial) -> str | None:
    lines = [event for event in done.out if isinstance(event, Unframed)]
    if [line.data for line in lines] != [f"{getattr(fault, 'text', '')}\r\n".encode()]:
        return f"outside of the framing: {lines}"
    before = [event for event in done.out[: done.out.index(lines[0])] if isinstance(event, Frame)]
    place = place_of(getattr(fault, "where"), done.case)  # noqa: B009
    size = sum(len(frame.data) for frame in before)
    right = place is not None and size == bytes_before(place, done.case)
    return _untouched(done) if right else f"it came after {size} bytes, and its place is {place}"


def _the_length_is_off(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, StreamLength)
    assert done.head is not None
    if isinstance(done.case.events[-1], Abort):
        return None
    off = (done.head.length or 0) - len(got_body(done))
    return _untouched(done) if off == fault.delta else f"the length is off by {off}"


def _the_encoding_is_wrong(fault: Fault, done: Trial) -> str | None:
    if done.head is None or dict(done.head.headers).get("content-encoding") != "gzip":
        return f"not called gzip: {done.head}"
    if getattr(fault, "mode", "") == "plain_as_gzip":
        return _untouched(done)
    half = got_body(done)
    beginning = zlib.decompressobj(wbits=31).decompress(half)
    if not given_body(done).startswith(beginning):
        return f"not the beginning: {beginning!r}"
    try:
        gzip.decompress(half)
    except (EOFError, OSError):
        return None
    return "the compressed body is whole"


def _whole_but_for_the_end(fault: Fault, done: Trial) -> str | None:
    how = getattr(done.ends[0], "how", None)
    named = how.value if how is not None else "end"
    return _untouched(done) if named == getattr(fault, "how", "") else f"it ended with {done.ends[0]}"


def _another_type(fault: Fault, done: Trial) -> str | None:
    assert done.head is not None
    named = dict(done.head.headers).get("content-type")
    return _untouched(done) if named == getattr(fault, "value", "") else f"called {named}"


def _frames_change_places(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, ChosenEvents)
    given, got = [frame.data for frame in done.case.frames], [frame.data for frame in done.frames]
    if sorted(given) != sorted(got):
        return "frames were lost or added"
    if (given != got) != done.hit:
        return f"hit: {done.hit}, order changed: {given != got}"
    for index, frame in enumerate(done.case.frames):
        if fault.protected(frame) and sorted(given[:index]) != sorted(got[: got.index(frame.data)]):
            return f"{frame} was overtaken, or overtook"
    return None


def one_differs(same: Same) -> Law:
    """Exactly one frame is another one, at its time, and ``same(given, got)`` holds for it."""

    def law(fault: Fault, done: Trial) -> str | None:
        given, got = done.case.frames, done.frames
        if [frame.at for frame in given] != [frame.at for frame in got]:
            return "frames were lost, added or moved"
        changed = [pair for pair in zip(given, got, strict=True) if pair[0].data != pair[1].data]
        if len(changed) != 1 or not same(*changed[0]):
            return f"changed: {changed}"
        where = getattr(fault, "where", None)
        place = place_of(where, done.case) if where is not None else None
        wrong = where is not None and (place is None or given[place[0]] is not changed[0][0])
        return f"{changed[0][0]} was changed, and {where} is {place}" if wrong else None

    return law


def _inserted(addition: bytes) -> Same:
    def same(given: Frame, got: Frame) -> bool:
        size = len(got.data) - len(given.data)
        return size == len(addition) and any(
            got.data[index : index + size] == addition and got.data[:index] + got.data[index + size :] == given.data
            for index in range(len(got.data))
        )

    return same


def _split_as_declared(fault: Fault, done: Trial) -> str | None:
    if getattr(fault, "mode", "") == "blank_line":
        return one_differs(_inserted(b"\n\n"))(fault, done)

    def same(given: Frame, got: Frame) -> bool:
        whole, spread = read_event(given.data).data, read_event(got.data).data
        return _inserted(b"\ndata: ")(given, got) and json.loads(whole or "0") == json.loads(spread or "1")

    return one_differs(same)(fault, done)


def _two_became_one(fault: Fault, done: Trial) -> str | None:
    place = place_of(getattr(fault, "where"), done.case)  # noqa: B009
    if place is None:
        return f"its place is {place}"
    given, got = done.case.frames, done.frames
    index = place[0]
    first, second = read_event(given[index].data), read_event(given[index + 1].data)
    alike = got[:index] == given[:index] and got[index + 1 :] == given[index + 2 :]
    lines = read_event(got[index].data).data
    wanted = f"{first.data}\n{second.data}" if first.data is not None else second.data
    return None if alike and lines == wanted else f"got {got}"


def _only_added(fault: Fault, done: Trial) -> str | None:
    """Comments or lines of its own; everything else as it came."""
    lines = fault.lines() if isinstance(fault, InsertedLines) else _comment(fault)
    rest, added = list(done.case.frames), 0
    for frame in done.frames:
        if rest and frame == rest[0]:
            rest.pop(0)
        elif frame.data == lines and frame.meaning == done.case.dialect.read_event(lines):
            added += 1
        else:
            return f"{frame} came from nowhere"
    once = added == 1 or (added and not isinstance(fault, InsertedLines))
    return None if not rest and once else f"{added} added, missing: {rest}"


def _comment(fault: Fault) -> bytes:
    text = getattr(fault, "text", "")
    return f": {text}\n\n".encode() if text else b":\n\n"


def _characters_are_torn(fault: Fault, done: Trial) -> str | None:
    match getattr(fault, "mode", ""):
        case "invalid":
            return one_differs(_inserted(b"\xff"))(fault, done)
        case "bom":
            return one_differs(lambda given, got: got.data == b"\xef\xbb\xbf" + given.data)(fault, done)
    torn = [frame for frame in done.frames if frame.data[-1] >= 0xC0]
    return _untouched(done) if torn else "no character is torn"


_LINE_END = re.compile(rb"\r\n|\r|\n")


def _line_ends_differ(fault: Fault, done: Trial) -> str | None:
    if _LINE_END.sub(b"\n", got_body(done)) != _LINE_END.sub(b"\n", given_body(done)):
        return "more than line ends differ"
    if done.case.heal_at is not None:
        return None
    end = {"lf": b"\n", "cr": b"\r", "crlf": b"\r\n", "split": b"\r\n"}[getattr(fault, "to", "")]
    return None if set(_LINE_END.findall(got_body(done))) <= {end} else f"line ends in {got_body(done)!r}"


def _a_separator_is_in_the_text(fault: Fault, done: Trial) -> str | None:
    char = chr(int(getattr(fault, "char", "U+0").removeprefix("U+"), 16))
    return one_differs(_inserted(char.encode()))(fault, done)


def _names_differ(fault: Fault, done: Trial) -> str | None:
    given = [read_event(frame.data) for frame in done.case.frames]
    got = [read_event(frame.data) for frame in done.frames]
    if [event._replace(name=None) for event in given] != [event._replace(name=None) for event in got]:
        return "more than the names differ"
    name = "message" if getattr(fault, "mode", "") == "rename" else None
    if done.case.heal_at is None and {event.name for event in got if event.data} - {name, None}:
        return f"names left: {got}"
    return None


def _cut_off(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, BodyTruncate)
    place = place_of(fault.where, done.case)
    if place is None or not isinstance(done.ends[0], Abort):
        return f"its place is {place}, and it ended with {done.ends[0]}"
    expected = given_body(done)[: bytes_before(place, done.case)]
    return None if got_body(done) == expected else f"got {got_body(done)!r}"


def _bits_are_flipped(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, BodyCorrupt)
    given, got = given_body(done), got_body(done)
    passed = done.case.exchange.seen.bytes
    wrong = {index + passed for index, pair in enumerate(zip(given, got, strict=False)) if pair[0] != pair[1]}
    declared = set(range(fault.offset, fault.offset + fault.length))
    if done.case.heal_at is None and len(given) == len(got):
        declared &= set(range(passed, passed + len(given)))
        return None if wrong == declared else f"wrong bytes: {wrong}"
    return None if len(given) == len(got) and wrong <= declared else f"wrong bytes: {wrong}"


def _closed_at_its_place(fault: Fault, done: Trial) -> str | None:
    """ws.close: the messages up to its place, each at its time, a close frame with the code, a clean end."""
    assert isinstance(fault, WsClose)
    place = place_of(fault.where, done.case)
    if place is None or not isinstance(done.ends[0], End):
        return f"its place is {place}, and it ended with {done.ends[0]}"
    expected = given_body(done)[: bytes_before(place, done.case)] + b"\x88\x02" + fault.code.to_bytes(2, "big")
    on_time = done.frames[-1].at == done.ends[0].at == done.case.frames[place[0]].at
    return None if got_body(done) == expected and on_time else f"got {done.frames}"


def _messages_are_missing(fault: Fault, done: Trial) -> str | None:
    """ws.drop: all frames of every Nth message that come while it lasts; no control frame."""
    assert isinstance(fault, WsDrop)
    number, expected = 0, []
    upgraded = done.case.head is not None and done.case.head.status == 101
    acts = upgraded and done.case.exchange.seen.head is None
    for frame in done.case.frames:
        number += frame.data[0] & 0x0F in (1, 2)
        dropped = acts and frame.data[0] & 0x0F < 8 and number % fault.each == 0 and done.case.lasts(frame)
        if not dropped:
            expected.append(frame)
    return None if done.frames == expected else f"got {done.frames}, expected {expected}"


# semantic -----------------------------------------------------------------------------------------------------------


def _text(done: Trial, frames: list[Frame], kind: int = TOKEN) -> str:
    meanings = [done.case.dialect.read_event(frame.data) for frame in frames]
    return "".join(meaning.text for meaning in meanings if meaning.kind & kind)


def _said(done: Trial, frames: list[Frame]) -> str:
    """All that is said, in a stream or in a plain answer."""
    return _text(done, frames) if done.head and done.head.streamed else _meaning(done, frames).text


def _meaning(done: Trial, frames: list[Frame]) -> Meaning:
    """What a plain answer means, or the last event of a stream that tells a reason."""
    if not done.head or not done.head.streamed:
        return done.case.dialect.read_answer(b"".join(frame.data for frame in frames))
    told = [frame.meaning for frame in frames if frame.meaning.finish]
    return told[-1] if told else Meaning(Kind.OTHER)


def whole_answer(done: Trial) -> bool:
    """Whether the fault saw a stream from its first event to its end."""
    whole = not done.case.exchange.seen.head and done.case.heal_at is None and isinstance(done.case.events[-1], End)
    return whole and bool(done.head and done.head.streamed)


def _a_valid_end(fault: Fault, done: Trial) -> str | None:
    """llm.early_stop, llm.refusal: the answer up to its place, and the dialect's own end."""
    place = place_of(getattr(fault, "where"), done.case)  # noqa: B009
    if place is None or not isinstance(done.ends[0], End):
        return f"its place is {place}, and it ended with {done.ends[0]}"
    count = place[0] + bool(place[1])
    kept, last = list(done.frames[:count]), list(done.frames[count:])
    if kept != done.case.frames[:count]:
        return "what lies before its place was changed"
    kinds = 0
    for frame in last:
        kinds |= frame.kind
    apology = getattr(fault, "kind", "") == "refusal"
    if bool(_text(done, last)) is not apology or not kinds & Kind.FINISH or not kinds & Kind.TERMINAL:
        return f"not a valid end: {last}"
    return None


def _says_nothing(fault: Fault, done: Trial) -> str | None:
    del fault
    if not done.head or not done.head.streamed:
        return None if not done.case.dialect.read_answer(got_body(done)).text else f"it says {got_body(done)!r}"
    return f"it says {_text(done, done.frames)!r}" if whole_answer(done) and _text(done, done.frames) else None


def _says_something_else(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, LlmWrongAnswer)
    if not done.head or not done.head.streamed:
        return None if done.case.dialect.read_answer(got_body(done)).text == fault.text else f"got {got_body(done)!r}"
    said = _text(done, done.frames, Kind.CONTENT)
    return f"it says {said!r}" if whole_answer(done) and said != fault.text else None


def _one_chunk_more(fault: Fault, done: Trial) -> str | None:
    rest = list(done.case.frames)
    added = []
    for frame in done.frames:
        if rest and frame == rest[0]:
            rest.pop(0)
        else:
            added.append(fields(parse(read_event(frame.data).data or "")).get("choices", "none"))
    wanted: list[object] | None = [] if getattr(fault, "value", "") == "empty" else None
    return None if not rest and added == [wanted] else f"added {added}, missing {rest}"


def _in_another_language(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, LlmDialectSwap)
    if not whole_answer(done):
        return None
    other = foreign(fault.dialect, done.case.exchange)
    said = [other.read_event(frame.data) for frame in done.frames]
    text = "".join(meaning.text for meaning in said if meaning.kind & Kind.CONTENT)
    ends = any(meaning.kind & Kind.TERMINAL for meaning in said)
    same = text == _text(done, done.case.frames, Kind.CONTENT)
    return None if same and ends else f"{other.name}: {done.frames}"


def _a_stranger_goes_on(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, LlmCrossStream)
    strange = [frame for frame in done.frames if frame not in done.case.frames]
    known = [frame for frame in done.frames if frame in done.case.frames]
    terminal = next((index for index, frame in enumerate(done.frames) if frame.kind & Kind.TERMINAL), None)
    behind = terminal is not None and done.frames[terminal + 1 : terminal + 1 + fault.events] == strange
    right = behind and known == done.case.frames and len(strange) == fault.events
    return None if right else f"strange: {strange}"


def _arguments_end_early(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, LlmToolArgsCut)
    if not whole_answer(done):
        return None
    given, got = (_text(done, frames, Kind.TOOL) for frames in (done.case.frames, done.frames))
    if got != given.encode()[: fault.byte].decode("utf-8", "ignore"):
        return f"the arguments are {got!r}"
    reasons = [frame.meaning.finish for frame in done.frames if frame.meaning.finish]
    return None if bool(reasons) == (fault.finish == "kept") else f"reasons: {reasons}"


def _members(done: Trial, frames: list[Frame], *names: str) -> list[Any]:
    found: list[Any] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(member for name, member in value.items() if name in names)
            for member in value.values():
                collect(member)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    streamed = done.head is not None and done.head.streamed
    bodies = [read_event(frame.data).data or frame.data.decode() for frame in frames] if streamed else [got_body(done)]
    for body in bodies:
        try:
            collect(json.loads(body))
        except ValueError:
            continue
    return found


def _another_reason(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, LlmFinishReason)
    told = [_meaning(done, done.frames).finish]
    wrong = [reason for reason in told if reason and (reason == fault.old if fault.old else reason != fault.new)]
    if done.case.heal_at is not None:
        return None
    same = _said(done, done.frames) == _said(done, done.case.frames)
    return None if not wrong and same else f"reasons {told}, text alike: {same}"


def _other_counts(fault: Fault, done: Trial) -> str | None:
    if _said(done, done.frames) != _said(done, done.case.frames):
        return "the text differs"
    if done.case.heal_at is not None:
        return None
    counts = _members(done, done.frames, "usage", "usageMetadata", "prompt_eval_count", "eval_count")
    numbers = re.findall(r"-?\d+", json.dumps(counts))
    modes: dict[str, set[str]] = {"missing": set(), "zero": {"0"}, "negative": {"-1"}}
    wanted = modes.get(getattr(fault, "mode", ""))
    return None if wanted is None or set(numbers) <= wanted else f"counts: {counts}"


def _one_comes_again(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, LlmRepeat)
    place = place_of(fault.where, done.case)
    if place is None:
        return f"its place is {place}"
    given, index = done.case.frames, place[0]
    expected = [*given[: index + 1], *[given[index]] * fault.times, *given[index + 1 :]]
    return None if done.frames == expected else f"got {done.frames}"


def _another_model(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, LlmModelSwap)
    names = _members(done, done.frames, "model", "modelVersion")
    wrong = [name for name in names if name != fault.new]
    same = _said(done, done.frames) == _said(done, done.case.frames)
    return None if same and (not wrong or done.case.heal_at is not None) else f"models {names}, text alike: {same}"


def _the_shape_differs(fault: Fault, done: Trial) -> str | None:
    del fault
    streamed = done.head is not None and done.head.streamed
    if streamed and [frame.at for frame in done.frames] != [frame.at for frame in done.case.frames]:
        return "frames were lost, added or moved"
    return None if got_body(done) != given_body(done) else "nothing changed"


# admission ----------------------------------------------------------------------------------------------------------


def _is_html(fault: Fault, done: Trial) -> str | None:
    del fault
    return None if b"<html" in got_body(done) else f"no page: {got_body(done)!r}"


def _is_no_answer(fault: Fault, done: Trial) -> str | None:
    assert isinstance(fault, HttpOkError)
    body = got_body(done)
    kinds = {
        "error": lambda: b"error" in body,
        "empty": lambda: body == b"",
        "json_null": lambda: body == b"null",
        "html": lambda: b"<html" in body,
    }
    right = done.head is not None and done.head.status == 200 and kinds[fault.body]()
    return None if right else f"{done.head} with {body!r}"


def _is_a_plain_answer(fault: Fault, done: Trial) -> str | None:
    del fault
    said = done.case.dialect.read_answer(got_body(done))
    return None if said.kind & Kind.CONTENT and said.finish else f"no answer: {got_body(done)!r}"


def _is_foreign(fault: Fault, done: Trial) -> str | None:
    other = foreign(getattr(fault, "dialect", None), done.case.exchange)
    _, body = other.error(500, error_type=None, code=None, message=None)
    native = body == got_body(done) and other is not done.case.dialect
    return None if native and isinstance(done.head, Head) and done.head.status == 500 else f"got {got_body(done)!r}"


EDITS: dict[str, Law] = {
    "ws.close": when_hit(_closed_at_its_place),
    "ws.drop": _messages_are_missing,
    "stream.cut_event": when_hit(_ends_inside_the_event),
    "stream.chunk_size": when_hit(_one_line_outside_the_body),
    "stream.length": when_hit(_the_length_is_off),
    "stream.encoding": when_hit(_the_encoding_is_wrong),
    "stream.unclean_end": when_hit(_whole_but_for_the_end),
    "stream.content_type": when_hit(_another_type),
    "sse.reorder": _frames_change_places,
    "sse.split": when_hit(_split_as_declared),
    "sse.merge": when_hit(_two_became_one),
    "sse.comment": when_hit(_only_added),
    "sse.field": when_hit(_only_added),
    "sse.empty": when_hit(_only_added),
    "sse.comment_as_data": when_hit(_only_added),
    "sse.utf8": when_hit(_characters_are_torn),
    "sse.line_end": when_hit(_line_ends_differ),
    "sse.line_separator": when_hit(_a_separator_is_in_the_text),
    "sse.event_name": when_hit(_names_differ),
    "body.truncate": when_hit(_cut_off),
    "body.corrupt": when_hit(_bits_are_flipped),
    "llm.early_stop": when_hit(_a_valid_end),
    "llm.refusal": when_hit(_a_valid_end),
    "llm.empty": when_hit(_says_nothing),
    "llm.wrong_answer": when_hit(_says_something_else),
    "llm.choices": when_hit(_one_chunk_more),
    "llm.dialect_swap": when_hit(_in_another_language),
    "llm.cross_stream": when_hit(_a_stranger_goes_on),
    "llm.tool_args_cut": when_hit(_arguments_end_early),
    "llm.finish_reason": when_hit(_another_reason),
    "llm.usage": when_hit(_other_counts),
    "llm.repeat": when_hit(_one_comes_again),
    "llm.model_swap": when_hit(_another_model),
    "llm.schema": when_hit(_the_shape_differs),
}
"""Promises of faults in the rooms framing and semantic."""

ANSWERS: dict[str, Law] = {
    "http.html_page": _is_html,
    "http.ok_error": _is_no_answer,
    "http.plain_reply": _is_a_plain_answer,
    "http.foreign_error": _is_foreign,
}
"""What is answered in the upstream's place where it is no error of the dialect."""
