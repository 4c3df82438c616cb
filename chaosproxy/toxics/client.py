"""A Toxiproxy server of somebody else's, through toxiproxy-python: off the loop, with deadlines and real errors.

The library keeps its server as state of a class, waits for ever, and knows three errors. So each server here gets a
copy of the library to itself, in which the HTTP calls are ours; nobody else's use of it is touched.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from itertools import count
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from chaosproxy.errors import PartFailed
from chaosproxy.plan.on_server import ServerToxic
from chaosproxy.toxics.off_the_loop import off_the_loop

T = TypeVar("T")

ANSWER_WITHIN_S = 3.0
"""How long the server may take for one command."""
ANSWER_BYTES_MAX = 8 * 1024 * 1024
"""The longest answer that is read: thousands of proxies."""
WORDS_MAX = 300
"""Characters of the server's own words in a message."""
OLDEST = 2
"""The first version of Toxiproxy that had named toxics."""


class ServerUnreachable(PartFailed):
    """The server did not answer, or not in time: what was asked of it may have happened all the same."""


class ServerRefused(PartFailed):
    """The server answered with an error; its words are in the text."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class ServerProxy:
    """A proxy on the server. ``listen`` is as resolved, such as ``[::]:20001``."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[str, ...] = ()
    """Their names."""


class ToxiproxyServer:
    """One server; any number of them at once. All methods raise ServerUnreachable and ServerRefused."""

    def __init__(self, url: str, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self.url = url.rstrip("/")
        self._within_s = answer_within_s
        self._library = _copy_of_the_library(self.url, answer_within_s)
        self._unanswered: set[asyncio.Future[Any]] = set()

    @property
    def host(self) -> str:
        """Of the server, without brackets."""
        return urlsplit(self.url).hostname or ""

    async def version(self) -> str:
        """What it calls itself. Raises ServerRefused for what is no Toxiproxy, or one that is too old."""
        try:
            said = await self._ask(lambda: self._api.get("/version").content, "GET /version")
        except ServerRefused as error:
            raise ServerRefused(f"{self.url} is not a Toxiproxy server: {error}", error.status) from None
        version = _version(said)
        if version is None:
            raise ServerRefused(f"{self.url} is not a Toxiproxy server: GET /version said {_short(said)!r}", 200)
        if version.partition(".")[0].isdecimal() and int(version.partition(".")[0]) < OLDEST:
            raise ServerRefused(f"{self.url} is Toxiproxy {version}; {OLDEST}.0 or newer is needed", 200)
        return version

    async def proxies(self) -> dict[str, ServerProxy]:
        """All proxies, other people's included, by name."""
        said = await self._ask(lambda: self._api.get("/proxies").json(), "GET /proxies")
        try:
            return {name: _proxy(values) for name, values in said.items()}
        except (AttributeError, KeyError, TypeError):
            raise ServerRefused(f"{self.url}: GET /proxies: not what a Toxiproxy server answers", 200) from None

    async def create(self, name: str, listen: str, upstream: str) -> ServerProxy:
        """Make a proxy that listens at ``listen``; port 0 is a free one."""
        work = lambda: vars(self._library.Toxiproxy().create(upstream, name, listen))  # noqa: E731 - for the thread
        return _proxy(await self._ask(work, f"proxy {name!r} at {listen}"))

    async def remove(self, name: str) -> None:
        """Remove a proxy: its connections are closed. One that is not there is fine."""
        with suppress(Gone):
            await self._ask(lambda: self._handle(name).destroy(), f"proxy {name!r}")

    async def enable(self, name: str, *, enabled: bool) -> None:
        """Let a proxy listen, or not: what is open is closed then."""
        handle = self._handle(name)
        await self._ask(handle.enable if enabled else handle.disable, f"proxy {name!r}")

    async def add_toxic(self, proxy: str, name: str, toxic: ServerToxic) -> None:
        """Put a toxic on a proxy; open connections feel it, too."""
        settings = {
            "name": name,
            "type": toxic.type,
            "stream": toxic.stream,
            "toxicity": toxic.toxicity,
            "attributes": dict(toxic.attributes),
        }
        await self._ask(lambda: self._handle(proxy).add_toxic(**settings), f"toxic {name!r} on {proxy!r}")

    async def remove_toxic(self, proxy: str, toxic: str) -> None:
        """Take a toxic away. One that is not there is fine."""
        with suppress(Gone):
            await self._ask(
                lambda: self._handle(proxy).destroy_toxic(quote(toxic, safe="")), f"toxic {toxic!r} on {proxy!r}"
            )

    async def settled(self) -> None:
        """Wait for commands whose answer nobody waited for: until then they may still be carried out."""
        if self._unanswered:
            await asyncio.wait(set(self._unanswered), timeout=self._within_s)
        if self._unanswered:
            raise ServerUnreachable(f"{self.url} has not answered everything, so it may still do what it was asked")

    @property
    def _api(self) -> Any:
        return self._library.server.APIConsumer

    def _handle(self, name: str) -> Any:
        """The library's object for a proxy; it puts the name into paths as it is."""
        return self._library.Proxy(name=quote(name, safe=""), upstream="", enabled=True, listen="")

    async def _ask(self, work: Callable[[], T], about: str) -> T:
        answer = off_the_loop(work)
        self._unanswered.add(answer)
        answer.add_done_callback(self._unanswered.discard)
        try:
            async with asyncio.timeout(self._within_s):
                return await asyncio.shield(answer)
        except TimeoutError:
            raise ServerUnreachable(f"{self.url}: {about}: no answer within {self._within_s:g} s") from None
        except Refused as error:
            kind = Gone if error.status == HTTPStatus.NOT_FOUND else ServerRefused
            raise kind(f"{self.url}: {about}: {error}", error.status) from None
        except self._library.exceptions.ProxyExists:  # it looks before it asks
            raise ServerRefused(f"{self.url}: {about}: there is one already", HTTPStatus.CONFLICT) from None
        except OSError as error:  # also the base of what the library below raises
            raise ServerUnreachable(f"{self.url} cannot be reached: {_reason(error)}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ServerRefused(f"{self.url}: {about}: not what a Toxiproxy server answers", 200) from None


class Gone(ServerRefused):
    """There is no such proxy or toxic (404)."""


class Refused(Exception):
    """The server's own words."""

    def __init__(self, words: str, status: int) -> None:
        self.status = status
        super().__init__(words)


# -------------------------------------------------------------------------------------------------------- the library

_NUMBERS = count(1)
_LOADING = threading.Lock()


def _copy_of_the_library(url: str, within_s: float) -> Any:
    """toxiproxy-python anew, for one server: its classes are its state."""
    found = find_spec("toxiproxy")
    if found is None or found.origin is None:
        raise PartFailed("toxiproxy-python is not installed: pip install toxiproxy-python")
    name = f"_chaosproxy_toxiproxy_{next(_NUMBERS)}"
    spec = spec_from_file_location(name, found.origin, submodule_search_locations=found.submodule_search_locations)
    if spec is None or spec.loader is None:
        raise PartFailed("toxiproxy-python cannot be loaded")
    library: Any = module_from_spec(spec)
    with _LOADING:
        sys.modules[name] = library
        try:
            spec.loader.exec_module(library)
        finally:
            for each in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
                del sys.modules[each]
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    library.Toxiproxy().update_api_consumer(host, parts.port or 80)
    library.api.requests = Calls(library.api.requests, within_s)
    return library


class Calls:
    """What the copy calls where it called ``requests``: with a deadline, and errors before they are lost."""

    def __init__(self, requests: ModuleType, within_s: float) -> None:
        self._requests: Any = requests
        self._within_s = within_s

    def get(self, url: str, **options: Any) -> Answer:
        """GET."""
        return self._send("GET", url, options)

    def post(self, url: str, **options: Any) -> Answer:
        """POST."""
        return self._send("POST", url, options)

    def delete(self, url: str, **options: Any) -> Answer:
        """DELETE."""
        return self._send("DELETE", url, options)

    def _send(self, method: str, url: str, options: dict[str, Any]) -> Answer:
        with self._requests.Session() as session:
            session.trust_env = False  # a proxy for the Internet is not for this server
            response = session.request(
                method, url, timeout=self._within_s, allow_redirects=False, stream=True, **options
            )
            with response:
                body = b""
                for piece in response.iter_content(1 + ANSWER_BYTES_MAX // 128):
                    body += piece
                    if len(body) > ANSWER_BYTES_MAX:
                        break
        if len(body) > ANSWER_BYTES_MAX:
            raise Refused(f"an answer of more than {ANSWER_BYTES_MAX} bytes (ANSWER_BYTES_MAX)", response.status_code)
        if not 200 <= response.status_code < 300:
            raise Refused(f"{response.status_code} {_words(body)}".rstrip(), response.status_code)
        return Answer(response.status_code, body)


@dataclass(frozen=True, slots=True)
class Answer:
    """As much of a response as the library looks at."""

    status_code: int
    content: bytes

    def json(self) -> Any:
        """The body. Raises ValueError."""
        return json.loads(self.content)


# ---------------------------------------------------------------------------------------------------------- its words


def _proxy(values: Mapping[str, Any]) -> ServerProxy:
    toxics = tuple(str(toxic["name"]) for toxic in values.get("toxics") or ())
    return ServerProxy(
        str(values["name"]), str(values["listen"]), str(values["upstream"]), bool(values["enabled"]), toxics
    )


def _version(said: bytes) -> str | None:
    """The version in ``{"version": "2.12.0"}``, or in plain text as older ones say it."""
    text = said.decode("utf-8", "replace").strip()
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(text)["version"])
    return text if text == "git" or text.replace(".", "").isdecimal() else None


def _words(body: bytes) -> str:
    """The server's message, without its JSON."""
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(body)["error"])[:WORDS_MAX]
    return _short(body)


def _short(body: bytes) -> str:
    return " ".join(body.decode("utf-8", "replace").split())[:WORDS_MAX]


def _reason(error: BaseException) -> str:
    """The system's own reason at the bottom of a chain of wrappers."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror.lower()
        if "timed out" in str(seen):
            return "no answer in time"
        seen = (
            seen.__cause__
            or seen.__context__
            or next((each for each in seen.args if isinstance(each, BaseException)), None)
        )
    return type(error).__name__ if not str(error) else str(error)[:WORDS_MAX]
