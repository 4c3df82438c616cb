"""A live upstream against the lab: the same two questions to both, and the shapes of the answers compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import aiohttp

from chaosproxy.errors import UpstreamUnusable, UserError
from chaosproxy.events import Kind
from chaosproxy.lab.backend import Backend
from chaosproxy.lab.verify.asking import Reply, Wish, ask, client
from chaosproxy.lab.verify.own import SETTINGS
from chaosproxy.lab.verify.reading import documents, frames, joined, json_flaws, media_type_flaws
from chaosproxy.lab.verify.shapes import Difference, compare, shape_of
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.dialects.names import ApiName

KEY_VARIABLES: dict[str, tuple[str, ...]] = {
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "ollama": ("OLLAMA_API_KEY",),
}
"""Where each provider's SDK looks for a key; the first that is set counts."""
MODELS = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
    "ollama": "llama3.2",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One API of a live upstream. ``flaws``: why an answer cannot be read; then ``difference`` is None."""

    api: ApiName
    model: str
    plain: Difference | None = None
    stream: Difference | None = None
    flaws: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Both answers can be read, and no member of the lab's has another type."""
        return all(found is not None and not found.wrong for found in (self.plain, self.stream))


async def compare_live(url: str, api: ApiName, model: str | None, env: Mapping[str, str]) -> Compared:
    """Ask both. Raises UpstreamUnusable when the live one gives no answer, UserError for an unusable key."""
    model = model or MODELS[_provider(api)]
    headers = _key_headers(api, env)
    async with Backend(SETTINGS) as lab, client({}, trust_env=False) as at_home, client(headers, trust_env=True) as out:
        found: dict[str, Difference | None] = {}
        flaws: dict[str, list[str]] = {}
        for name, stream in (("plain", False), ("stream", True)):
            wish = Wish(api, model, stream=stream)
            theirs = await _ask_live(out, url, wish)
            flaws[name] = list(dict.fromkeys(_flaws(wish, theirs)))
            ours = await ask(at_home, lab.url, wish)
            alike = None if flaws[name] else compare(_shape(wish, ours), _shape(wish, theirs))
            found[name] = alike
    return Compared(api, model, found["plain"], found["stream"], flaws)


async def _ask_live(session: aiohttp.ClientSession, url: str, wish: Wish) -> Reply:
    reply = await ask(session, url, wish)
    if reply.status == 200:
        return reply
    match reply.status:
        case 401 | 403:
            hint = f"set {' or '.join(KEY_VARIABLES[_provider(wish.api)])} to a key that it takes"
        case 404:
            hint = f"does it have the path {wish.path.partition('?')[0]} and the model {wish.model}? See --model"
        case 429:
            hint = "try again later"
        case status if 300 <= status < 400:
            hint = "redirects are not followed, give the URL that it leads to"
        case _:
            hint = f"does it serve the model {wish.model}? See --model"
    raise UpstreamUnusable(f"{url} answered {wish.api} with status {reply.status}; {hint}")


def _flaws(wish: Wish, reply: Reply) -> Iterator[str]:
    """What keeps our readers from understanding it."""
    spoken = dialect(wish.api)
    yield from media_type_flaws(reply, spoken.stream_type if wish.stream else "application/json")
    if not wish.stream:
        yield from json_flaws(reply.body)
        said = spoken.read_answer(reply.body)
    else:
        for document in documents(spoken, reply.body):
            yield from json_flaws(document)
        said = joined([spoken.read_event(frame) for frame in frames(spoken, reply.body)])
        if not said.kind & Kind.TERMINAL:
            yield "no terminal event"
    if said.kind & Kind.ERROR:
        yield "an error instead of an answer"
    if said.finish is None:
        yield "no finish reason"


def _shape(wish: Wish, reply: Reply) -> dict[str, set[str]]:
    return shape_of(documents(dialect(wish.api), reply.body) if wish.stream else [reply.body])


def _provider(api: ApiName) -> str:
    return api.partition(".")[0]


def _key_headers(api: ApiName, env: Mapping[str, str]) -> dict[str, str]:
    provider = _provider(api)
    name = next((name for name in KEY_VARIABLES[provider] if env.get(name)), None)
    version = {"anthropic-version": "2023-06-01"} if provider == "anthropic" else {}
    if name is None:
        return version
    key = env[name].strip()
    if not key.isascii() or not key.isprintable():
        raise UserError(f"{name} holds characters that no header field may have")
    match provider:
        case "anthropic":
            return {"x-api-key": key, **version}
        case "gemini":
            return {"x-goog-api-key": key}
    return {"authorization": f"Bearer {key}"}
