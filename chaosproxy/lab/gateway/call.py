"""The client's edge: what it asked for, and how its answer is delivered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from multidict import CIMultiDict

from chaosproxy.lab.gateway.speech import AnthropicMessages, OpenAIChat, OpenAIResponses, Speech
from chaosproxy.proxy.headers import end_to_end
from chaosproxy.wire.dialects import detect
from chaosproxy.wire.dialects.base import Dialect, RequestFacts

_SPEECHES: Mapping[str, Speech] = {
    "openai.chat": OpenAIChat(),
    "openai.responses": OpenAIResponses(),
    "anthropic.messages": AnthropicMessages(),
}


def travelling(headers: Iterable[tuple[str, str]], *without: str) -> CIMultiDict[str]:
    """The fields that travel on, but for those named (in lower case)."""
    return CIMultiDict(pair for pair in end_to_end(tuple(headers)) if pair[0].lower() not in without)


def _reframed(headers: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    """The fields of an answer whose body we frame and decode ourselves."""
    return travelling(headers, "content-length", "content-encoding")


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asked for, with the header fields that travel on."""

    method: str
    path_qs: str
    headers: CIMultiDict[str] = field(repr=False)
    body: bytes = field(repr=False)
    dialect: Dialect
    facts: RequestFacts

    @classmethod
    async def read(cls, request: web.Request) -> Call:
        """The whole request; answers are asked for without compression, because their events must be read."""
        body = await request.read()
        dialect = detect(request.method, request.raw_path)
        headers = travelling(request.headers.items(), "host", "content-length", "accept-encoding", "expect")
        headers["Accept-Encoding"] = "identity"
        facts = dialect.read_request(body, request.raw_path)
        return cls(request.method, request.raw_path, headers, body, dialect, facts)

    @property
    def is_chat(self) -> bool:
        """Whether it is of a dialect whose answers the gateway understands."""
        return self.dialect.name in _SPEECHES

    @property
    def streamed(self) -> Speech | None:
        """The words for a streamed answer, when one is asked for."""
        return _SPEECHES.get(self.dialect.name) if self.facts.stream else None

    @property
    def hides_usage(self) -> bool:
        """Whether the client must not see the usage event that we ask for."""
        return self.streamed is not None and self.streamed.usage_on_request and not self.facts.asks_usage

    @property
    def model(self) -> str:
        """Empty when the request names none."""
        return self.facts.model or ""


class Delivery:
    """The answer on its way to the client: nothing is on the wire before the first ``send``."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._marks: dict[str, str] = {}
        self._body = bytearray()
        self.response: web.StreamResponse | None = None

    @property
    def begun(self) -> bool:
        """Whether the client has seen anything; from then on there is no other answer."""
        return self.response is not None

    @property
    def passed_on(self) -> tuple[int, str, bytes] | None:
        """Status, content type and body of what an upstream said, without words of our own; None: nothing yet."""
        if self.response is None:
            return None
        return self.response.status, self.response.content_type, bytes(self._body)

    def mark(self, name: str, value: str) -> None:
        """A header field of ours on the answer that is to come."""
        self._marks[name] = value

    async def pass_on(self, status: int, headers: Iterable[tuple[str, str]], pieces: Iterable[bytes]) -> None:
        """Pieces of a body whose length stays open, at once; the first ones bring status and header fields along."""
        if self.response is None:
            self.response = web.StreamResponse(status=status, headers=self._marked(headers))
            await self.response.prepare(self._request)
        if data := b"".join(pieces):
            self._body += data
            await self.send(data)

    async def send(self, data: bytes) -> None:
        """A further piece."""
        await self._started.write(data)

    async def finish(self) -> None:
        """The clean end of the body."""
        await self._started.write_eof()

    async def whole(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """An answer that is already complete."""
        self._body += body
        self.response = web.Response(status=status, body=body, headers=self._marked(headers))
        await self.response.prepare(self._request)
        await self.response.write_eof()

    def _marked(self, headers: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
        fields = _reframed(headers)
        fields.update(self._marks)
        return fields

    @property
    def _started(self) -> web.StreamResponse:
        if self.response is None:
            raise RuntimeError("nothing follows in an answer that has not begun")
        return self.response

    def cut(self) -> None:
        """The unclean end: the connection goes down in the middle of the body."""
        if self._request.transport is not None:
            self._request.transport.abort()
