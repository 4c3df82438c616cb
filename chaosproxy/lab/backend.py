"""A mock LLM server in the running loop: every dialect under any path prefix, vLLM's side doors.

    POST .../chat/completions, ...       answers, streamed or plain; the text is ``text.expected_answer``
    GET  .../models, /health, /version   as vLLM has them
    GET  .../files/SIZE                  a download of that many bytes (``lab.files``)
    GET  /-/lab/stats                    what it has seen

A streamed head leaves at once, as vLLM's does; the first event comes with the first token, after queue and prefill.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from random import Random
from typing import Any, Self

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from chaosproxy import __version__
from chaosproxy.errors import PartFailed
from chaosproxy.experiment.lab_settings import BackendSettings
from chaosproxy.lab import files, part
from chaosproxy.lab.pace import Pace, QueueFull, Slots
from chaosproxy.lab.reply import Asked, Refused, by_token, read_asked
from chaosproxy.wire.dialects import detect
from chaosproxy.wire.dialects.answers import Answer
from chaosproxy.wire.dialects.base import Dialect
from chaosproxy.wire.dialects.raw import RAW_BODY

BODY_LIMIT_BYTES = 16 * 1024 * 1024
"""The largest request body; a larger one is answered with 413."""

CUT_OFF_S = 0.01
"""How long an open answer may go on when the backend stops; aiohttp takes zero for "for ever"."""


class Backend:
    """A server while it is entered (or between ``start`` and ``stop``); it needs neither thread nor process."""

    def __init__(self, settings: BackendSettings | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.settings = settings or BackendSettings()
        self._host = host
        self._port = port
        self._slots = Slots(self.settings)
        self._stats: Counter[str] = Counter()
        self._by_model: Counter[str] = Counter()
        self._http: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._stopping = False

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return part.url_of(self._host, self._port)

    @property
    def stats(self) -> dict[str, Any]:
        """Requests since the start, also per model: ``abandoned`` by a client that left, ``in_flight`` now."""
        counted = {
            name: self._stats[name] for name in ("requests", "streams", "abandoned", "refused", "failed", "files")
        }
        load = {"in_flight": self._stats["in_flight"], "running": self._slots.running, "waiting": self._slots.waiting}
        return {**counted, **load, "by_model": dict(self._by_model)}

    async def start(self) -> None:
        """Listen. Raises PartFailed when the address is taken."""
        loop = asyncio.get_running_loop()
        self._http = web.Server(self._answer, request_factory=_request, access_log=None, handler_cancellation=True)
        try:
            self._listener = await loop.create_server(self._http, self._host, self._port)
        except OSError as error:
            raise PartFailed(f"lab backend: cannot listen on {self._host}:{self._port}: {error.strerror}") from error
        self._port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut off what is still open."""
        self._stopping = True
        if self._listener is not None and self._http is not None:
            self._listener.close()
            await self._http.shutdown(timeout=CUT_OFF_S)
            await asyncio.sleep(0)  # sockets are closed in the loop's next turn

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        dialect = detect("POST", request.raw_path)
        if dialect is RAW_BODY:
            return await self._file(request) if files.serves(request.path) else self._side_door(request)
        if request.method != "POST":
            return _refusal(dialect, Refused(405, "Method Not Allowed"))
        self._stats["requests"] += 1
        self._stats["in_flight"] += 1
        try:
            return await self._serve(request, dialect)
        except Refused as refused:
            return _refusal(dialect, refused)
        except asyncio.CancelledError:
            self._stats["abandoned"] += not self._stopping
            raise
        except ConnectionError:
            self._stats["abandoned"] += not self._stopping
            return web.Response()  # to nobody; an error would leave its traceback in the log
        finally:
            self._stats["in_flight"] -= 1

    async def _file(self, request: web.BaseRequest) -> web.StreamResponse:
        self._stats["files"] += 1
        try:
            return await files.serve_file(request, self.settings.notice_every)
        except ConnectionError:
            return web.Response()  # to nobody

    def _side_door(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/-/lab/stats":
            answer: Any = self.stats
        elif request.path.endswith("/models"):
            answer = {"object": "list", "data": [_model_card(name) for name in self.settings.models or ("lab",)]}
        elif request.path.endswith("/version"):
            answer = {"version": f"chaosproxy-lab {__version__}"}
        elif request.path.endswith("/health"):
            answer = None
        else:
            return web.json_response({"detail": "Not Found"}, status=404)
        if request.method not in ("GET", "HEAD"):
            return web.json_response({"detail": "Method Not Allowed"}, status=405, headers={"Allow": "GET"})
        return web.Response() if answer is None else web.json_response(answer)

    async def _serve(self, request: web.BaseRequest, dialect: Dialect) -> web.StreamResponse:
        asked = read_asked(dialect, await _body(request), request.raw_path)
        self._by_model[asked.model] += 1
        await asyncio.sleep(self.settings.response_delay)
        self._refuse(asked.model)
        try:
            self._slots.enter()
        except QueueFull:
            self._stats["refused"] += 1
            raise Refused(self.settings.queue_full, "The server is overloaded, please retry later") from None
        try:
            if asked.stream and self.settings.streams(asked.model):
                self._stats["streams"] += 1
                return await self._stream(request, dialect, asked)
            return await self._plain(dialect, asked)
        finally:
            self._slots.leave()

    def _refuse(self, model: str) -> None:
        if self.settings.models and model not in self.settings.models:
            raise Refused(404, f"The model `{model}` does not exist.")
        if (status := self.settings.failure(model)) is not None:
            self._stats["failed"] += 1
            raise Refused(status, None)

    async def _stream(self, request: web.BaseRequest, dialect: Dialect, asked: Asked) -> web.StreamResponse:
        answer = asked.answer(self.settings.tokens)
        response = web.StreamResponse(headers={"content-type": dialect.stream_type, "cache-control": "no-cache"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        async with self._slots.turn():
            pace = self._pace(answer)
            clock = asyncio.get_running_loop().time
            due = clock() + pace.first_token_s(answer.prompt_tokens)
            for frames in by_token(dialect, answer):
                await asyncio.sleep(due - clock())
                for frame in frames:
                    await response.write(frame)
                due += pace.next_token_s()
        await response.write_eof()
        return response

    async def _plain(self, dialect: Dialect, asked: Asked) -> web.Response:
        answer = asked.answer(self.settings.tokens)
        async with self._slots.turn():
            pace = self._pace(answer)
            gaps = (pace.next_token_s() for _ in range(answer.output_tokens - 1))
            await asyncio.sleep(pace.first_token_s(answer.prompt_tokens) + sum(gaps))
        return web.Response(body=dialect.plain_body(answer), content_type="application/json")

    def _pace(self, answer: Answer) -> Pace:
        return Pace(self.settings, self._slots, Random(answer.id), answer.model)


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: Any,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=BODY_LIMIT_BYTES)


async def _body(request: web.BaseRequest) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refused(413, f"The request body exceeds {BODY_LIMIT_BYTES} bytes") from None


def _refusal(dialect: Dialect, refused: Refused) -> web.Response:
    headers, body = dialect.error(refused.status, error_type=None, code=None, message=refused.message)
    return web.Response(status=refused.status, headers=dict(headers), body=body)


def _model_card(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "chaosproxy"}


async def run_backend(settings: BackendSettings, listen: str = "127.0.0.1:0", *, leash: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, on a leash also until EOF of stdin; prints the ready line when it listens."""
    host, port = part.parse_listen(listen)
    await part.run_part(Backend(settings, host, port), leash=leash)


def main(argv: list[str]) -> int:
    """``python -m chaosproxy.lab.backend --settings JSON --listen HOST:PORT [--leash]``; the exit code."""
    arguments = part.parse_arguments("chaosproxy.lab.backend", BackendSettings, argv)
    return part.run_process(run_backend(arguments.settings, arguments.listen, leash=arguments.leash))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
