"""Any HTTP body that no dialect claims: bytes that mean nothing to us."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import ClassVar

from chaosproxy.events import RAW, Headers, Meaning
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.base import RateLimit, RequestFacts
from chaosproxy.wire.foreign_json import dump
from chaosproxy.wire.raw import PAYLOAD, RawSplitter


class RawBody:
    """Claims nothing; it is what is left when nobody does."""

    name: ClassVar[str] = "raw"
    stream_type: ClassVar[str] = "application/octet-stream"
    payload: ClassVar[re.Pattern[bytes]] = PAYLOAD
    finish_reason: ClassVar[re.Pattern[bytes]] = re.compile(rb"(?!)")

    def claims(self, method: str, path: str) -> bool:
        """Never."""
        del method, path
        return False

    def request_path(self, model: str, *, stream: bool) -> str:
        """The root: it could be anything."""
        del model, stream
        return "/"

    def read_request(self, body: bytes, path: str) -> RequestFacts:
        """No facts."""
        del body, path
        return RequestFacts()

    def read_event(self, frame: bytes) -> Meaning:
        """Always RAW."""
        del frame
        return RAW

    def content_delta(self, frame: bytes) -> str | None:
        """Never."""
        del frame
        return None

    def read_answer(self, body: bytes) -> Meaning:
        """Always RAW."""
        del body
        return RAW

    def splitter(self) -> RawSplitter:
        """Every piece is a frame."""
        return RawSplitter()

    def error(
        self,
        status: int,
        *,
        error_type: str | None,
        code: str | None,
        message: str | None,
        retry_s: float | None = None,
    ) -> tuple[Headers, bytes]:
        """``{"error": MESSAGE}``, the shape that small servers use; the message is the status in words by default."""
        del error_type, code, retry_s
        return (("content-type", "application/json"),), dump({"error": message or _phrase(status)}).encode()

    def error_event(
        self, error_type: str | None, message: str | None, *, frame: bytes = b"", follows: bool = True
    ) -> bytes:
        """The same as a line of JSON."""
        del frame, follows
        return dump({"error": message or error_type or _phrase(500)}).encode() + b"\n"

    def limit_headers(self, limit: RateLimit) -> Headers:
        """None: there is no common name for them."""
        del limit
        return ()

    def stream_frames(self, answer: Answer) -> list[bytes]:
        """The pieces of the text."""
        return [piece.encode("utf-8", "replace") for piece in answer.text_pieces if piece]

    def plain_body(self, answer: Answer) -> bytes:
        """The text."""
        return answer.text.encode("utf-8", "replace")


def _phrase(status: int) -> str:
    return next((known.phrase for known in HTTPStatus if known == status), f"Status {status}")


RAW_BODY = RawBody()
