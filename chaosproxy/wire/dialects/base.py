"""What every dialect can do. A dialect reads and writes values; it never sees a socket."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Protocol

from chaosproxy.events import OTHER, Headers, Meaning, value
from chaosproxy.wire import Splitter
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.foreign_json import parse
from chaosproxy.wire.sse import STREAM_TYPE


@value
class RequestFacts:
    """What a request says, None where absent. ``prompt`` is the text of all messages, joined by newlines."""

    model: str | None = None
    stream: bool | None = None
    prompt: str | None = None
    max_tokens: int | None = None
    asks_usage: bool = False


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a provider tells about its limits beside a 429: per minute, with the seconds until they reset.

    ``now_unix_s`` is the wall time, for providers that tell a moment instead of a span; None leaves the moments out.
    """

    requests: int
    remaining_requests: int
    tokens: int
    remaining_tokens: int
    reset_s: float
    now_unix_s: float | None = None


class Dialect(Protocol):
    """A provider's meaning of frames, in its own words."""

    name: ClassVar[str]
    """As written in ``match.dialect`` and ``request.api``; ``names`` has them all."""
    stream_type: ClassVar[str]
    """Media type of a streamed answer."""
    payload: ClassVar[re.Pattern[bytes]]
    """Finds the JSON of a frame, as its first group; further matches are further lines of it."""
    finish_reason: ClassVar[re.Pattern[bytes]]
    """Finds the finish reason in a frame that has one: what stands before the value is its first group."""

    def claims(self, method: str, path: str) -> bool:
        """Whether a request to this path (under any prefix, with its query) is of this dialect."""

    def request_path(self, model: str, *, stream: bool) -> str:
        """Where a client sends such a request: path and query, without a prefix of anybody."""

    def read_request(self, body: bytes, path: str) -> RequestFacts:
        """The facts of a request to ``path`` (with its query); all None when it is not of the dialect. Never raises."""

    def read_event(self, frame: bytes) -> Meaning:
        """The meaning of one frame of a streamed answer; ``OTHER`` when it is not understood. Never raises."""

    def content_delta(self, frame: bytes) -> str | None:
        """The text of an ordinary content event, several times faster than ``read_event``; None: read it whole.

        Whenever it is a text, ``read_event`` means CONTENT with that text and nothing else. Never raises.
        """

    def read_answer(self, body: bytes) -> Meaning:
        """The whole text, finish reason and token counts of a plain answer. Never raises."""

    def splitter(self) -> Splitter:
        """A fresh splitter for a streamed answer."""

    def error(
        self,
        status: int,
        *,
        error_type: str | None,
        code: str | None,
        message: str | None,
        retry_s: float | None = None,
    ) -> tuple[Headers, bytes]:
        """Header fields and body with which this provider reports ``status``; None means its usual words.

        ``retry_s`` matters to providers that tell in the body when to come back.
        """

    def error_event(
        self, error_type: str | None, message: str | None, *, frame: bytes = b"", follows: bool = True
    ) -> bytes:
        """The event with which this provider reports an error after a 200, with the end of its line or array.

        ``frame`` is the one that it follows, or else whose place it takes: some number their events or join them.
        """

    def limit_headers(self, limit: RateLimit) -> Headers:
        """The provider's rate-limit header fields."""

    def stream_frames(self, answer: Answer) -> list[bytes]:
        """The frames of a whole streamed answer, as this provider sends them."""

    def plain_body(self, answer: Answer) -> bytes:
        """The body of a whole plain answer."""


def is_sse(spoken: Dialect) -> bool:
    """Whether its streams are server-sent events, which may have comments, names and pings."""
    return spoken.stream_type == STREAM_TYPE


def payload(spoken: Dialect, frame: bytes) -> str | None:
    """The JSON of a frame as text, None when it has none (a comment, a bracket)."""
    lines = spoken.payload.findall(frame)
    return b"\n".join(lines).decode("utf-8", "replace") if lines else None


def flaw_of(spoken: Dialect, frame: bytes, meaning: Meaning) -> str | None:
    """Why an SDK's reader would raise on this frame, which means ``meaning``; None when it would not."""
    try:
        frame.decode()
    except UnicodeDecodeError:
        return "an event is not UTF-8"
    if meaning != OTHER:
        return None
    data = payload(spoken, frame)
    return "an event is not JSON" if data and parse(data) is None and data.strip() != "null" else None
