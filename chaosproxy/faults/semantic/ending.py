"""A valid end for an answer that is not at its end yet, in the words of its dialect."""

from __future__ import annotations

from collections.abc import Sequence

from chaosproxy.events import Exchange, Frame, Kind
from chaosproxy.wire.dialects.answers import Answer, Finish
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.editing import payload_span
from chaosproxy.wire.foreign_json import dump, fields, parse, word

_OURS = "chaosproxy"
_NO_TEXT = (" ",)


def closing(spoken: Dialect, exchange: Exchange, told: Sequence[str], finish: Finish, like: Frame) -> list[bytes]:
    """The frames that follow the last content, if ``told`` was all of it.

    They carry the id of ``like``, a frame of the same answer, because a client may join the pieces by it.
    """
    answer = Answer(
        _OURS, exchange.model or "unknown", 1_700_000_000, tuple(told) or _NO_TEXT, finish, output_tokens=len(told)
    )
    frames = spoken.stream_frames(answer)
    last = max(index for index, frame in enumerate(frames) if spoken.read_event(frame).kind & Kind.CONTENT)
    ours, theirs = _id(spoken, frames[last]), _id(spoken, like.data)
    if ours is None or theirs is None:
        return frames[last + 1 :]
    return [frame.replace(dump(ours).encode(), dump(theirs).encode()) for frame in frames[last + 1 :]]


def saying(spoken: Dialect, exchange: Exchange, texts: Sequence[str]) -> list[bytes]:
    """The frames with which the dialect says these texts, without a beginning and an end."""
    frames = spoken.stream_frames(Answer(_OURS, exchange.model or "unknown", 1_700_000_000, tuple(texts)))
    return [frame for frame in frames if spoken.read_event(frame).kind & Kind.CONTENT]


def _id(spoken: Dialect, frame: bytes) -> str | None:
    span = payload_span(spoken, frame)
    return None if span is None else word(fields(parse(frame[slice(*span)])).get("id"))
