"""One request in the words of an API, and what came back, whole."""

from __future__ import annotations

import os
from dataclasses import dataclass

import aiohttp
from yarl import URL

from chaosproxy.errors import UpstreamUnusable
from chaosproxy.experiment.load_settings import Request
from chaosproxy.lab.load.question import entry_url
from chaosproxy.lab.load.request_body import request_body
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.names import ApiName
from chaosproxy.wire.foreign_json import dump

PROMPT = "Say hello in five words."
MAX_TOKENS = 256
ANSWER_S = 60.0
"""A longer answer is given up."""
ANSWER_BYTES = 4 * 1024 * 1024
"""A larger one, too."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to ask for."""

    api: ApiName
    model: str
    stream: bool = False
    tools: bool = False

    @property
    def path(self) -> str:
        """Path and query of the request."""
        return dialect(self.api).request_path(self.model, stream=self.stream)

    @property
    def body(self) -> bytes:
        """The request's JSON."""
        request = Request(api=self.api, stream=self.stream, tools=self.tools, max_tokens=MAX_TOKENS)
        return dump(request_body(request, self.model, PROMPT)).encode()


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    content_type: str
    body: bytes


async def ask(session: aiohttp.ClientSession, entry: str, wish: Wish) -> Reply:
    """Ask the upstream at ``entry``. Raises UpstreamUnusable when no whole answer comes."""
    url = URL(entry_url(entry, wish.path), encoded=True)
    try:  # a redirect is not followed: it could take the key elsewhere
        async with session.post(url, data=wish.body, allow_redirects=False) as response:
            body = b""
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > ANSWER_BYTES:
                    raise UpstreamUnusable(f"{entry}: the answer is larger than {ANSWER_BYTES} bytes")
            return Reply(response.status, response.headers.get("content-type", ""), body)
    except TimeoutError:
        raise UpstreamUnusable(f"{entry}: no whole answer to {wish.api} within {ANSWER_S:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamUnusable(f"{entry}: {_words(error)}; is it running, and is the URL right?") from None


def client(headers: dict[str, str], *, trust_env: bool) -> aiohttp.ClientSession:
    """A session that asks for answers without compression."""
    fields = {"content-type": "application/json", "accept-encoding": "identity", **headers}
    return aiohttp.ClientSession(
        headers=fields, timeout=aiohttp.ClientTimeout(total=ANSWER_S), trust_env=trust_env, raise_for_status=False
    )


def _words(error: Exception) -> str:
    """Never of the request, which has a key."""
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0
        return f"cannot connect ({os.strerror(number) if number > 0 else error.os_error.strerror})"
    return f"the connection failed ({type(error).__name__})"
