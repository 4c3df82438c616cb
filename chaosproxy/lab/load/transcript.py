"""One call as its client saw it, from head to end. Pure: whoever reads the socket brings bytes and times.

It fails where the official SDKs raise (a status, an error event, an event that is not JSON) and trusts where they
trust: a clean end without a terminal event is no error here, and a plain body on a streamed request is an empty answer.
It differs in two places, on purpose: it ends at the terminal event in every dialect, and it ignores empty events.
"""

from __future__ import annotations

import re
from itertools import pairwise

from chaosproxy.events import OTHER, TOKEN, Kind, Meaning
from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.traffic import Call
from chaosproxy.lab.load.heard import BODY_LIMIT_BYTES, Heard
from chaosproxy.lab.load.marks import foreign_tag, kept_chars, restarted_at
from chaosproxy.lab.load.question import Question
from chaosproxy.wire.dialects.base import Dialect, flaw_of, is_sse, payload
from chaosproxy.wire.foreign_json import fields, parse

_WORD = re.compile(r"[A-Za-z][A-Za-z_.-]{0,63}|\d{3}", re.ASCII)
"""A provider's name for an error, or a status; no name has letters beside digits, and most keys have."""


class Transcript(Heard):
    """The answer to one call of an API, event by event or as a whole."""

    def __init__(self, question: Question, dialect: Dialect, *, stream: bool) -> None:
        super().__init__()
        self._question = question
        self._dialect = dialect
        self._splitter = dialect.splitter()
        self._stream = stream
        self._reads_events = stream
        self._texts: list[str] = []
        self._content_at: list[float] = []

    def head(self, at: float, status: int) -> None:
        """The status line came."""
        super().head(at, status)
        self._reads_events = self._stream and status < 300

    def data(self, at: float, data: bytes) -> None:
        """A piece of the body came."""
        if not self._reads_events:
            self._body += data
        else:
            for frame in self._splitter.feed(data):
                if not self.over:
                    self._frame(at, frame)
        if max(len(self._body), self._splitter.pending) > BODY_LIMIT_BYTES:
            self.failed(at, "protocol", f"more than {BODY_LIMIT_BYTES} bytes in one piece")

    def end(self, at: float) -> None:
        """The body ended as its framing says. Half an event is dropped, as clients do."""
        if self.over:
            return
        if self._seen["status"] >= 300:
            self.failed(at, "http", f"{self._seen['status']} {_error_type(bytes(self._body))}".rstrip())
        elif not self._stream:
            self._answer(at, bytes(self._body))
        elif rest := self._splitter.flush():
            self._last(at, rest)
        self._seen.setdefault("end_at", at)

    def call(self, load: str, intended_at: float, sent_at: float) -> Call:
        """The record."""
        question, text = self._question, "".join(self._texts)
        whole = text == question.expected_text
        return Call(
            id=question.id,
            load=load,
            number=question.number,
            tagged=question.tagged,
            api=self._dialect.name,
            stream=self._stream,
            model=question.model,
            intended_at=intended_at,
            sent_at=sent_at,
            first_content_at=self._content_at[0] if self._content_at else None,
            last_content_at=self._content_at[-1] if self._content_at else None,
            chunks=len(self._content_at),
            gaps_ms=[round((later - earlier) * 1000) for earlier, later in pairwise(self._content_at)],
            text=fingerprint(text),
            expected=question.expected,
            expected_tokens=question.expected_tokens,
            kept_chars=kept_chars(text, question.expected_text),
            restarted_at=None if whole else restarted_at(text, question.expected_text),
            foreign=None if whole else foreign_tag(text, question.id if question.tagged else None),
            **self._seen,
        )

    def _last(self, at: float, rest: bytes) -> None:
        """What no blank line ends is an event only if it is whole; of lines and arrays nothing may be missing."""
        if not is_sse(self._dialect):
            self._frame(at, rest)
        elif (meaning := self._dialect.read_event(rest)) != OTHER:
            self._take(at, meaning)

    def _frame(self, at: float, frame: bytes) -> None:
        meaning = self._dialect.read_event(frame)
        if (flaw := flaw_of(self._dialect, frame, meaning)) is not None:
            self.failed(at, "protocol", flaw)
        elif meaning.kind & Kind.ERROR:
            self.failed(at, "event", _error_type((payload(self._dialect, frame) or "").encode()))
        else:
            self._take(at, meaning)

    def _take(self, at: float, meaning: Meaning) -> None:
        if meaning.kind & TOKEN:
            self._texts.append(meaning.text)
            self._content_at.append(at)
        if meaning.finish is not None:
            self._seen["finish"] = meaning.finish
        if meaning.output_tokens is not None:
            self._seen["output_tokens"] = meaning.output_tokens
        if meaning.kind & Kind.TERMINAL:
            self._seen |= {"terminal": True, "end_at": at}

    def _answer(self, at: float, body: bytes) -> None:
        meaning = self._dialect.read_answer(body)
        if parse(body) is None:
            self.failed(at, "protocol", "the answer is not JSON")
        elif meaning.kind & Kind.ERROR:
            self.failed(at, "event", _error_type(body))
        else:
            self._take(at, meaning)
            self._seen["terminal"] = meaning.finish is not None


def _error_type(body: bytes) -> str:
    """The provider's name for an error; its message may quote the prompt, so it stays out of the journal."""
    told = parse(body)
    answer = fields(told[0] if isinstance(told, list) and told else told)
    error = fields(answer.get("error") or fields(answer.get("response")).get("error") or answer)
    words = (error.get("type"), error.get("code"), error.get("status"))
    return " ".join(word for word in words if isinstance(word, str) and word != "error" and _WORD.fullmatch(word))
