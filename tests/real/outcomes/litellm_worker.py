"""LiteLLM in an environment of its own: reads questions as JSON lines, writes what it saw as JSON lines.

    {"id": 1, "way": "router", "url": "http://...", "backup": "http://...", "timeout_s": 0.5, "deadline_s": 5}
    {"id": 1, "seen": {"text": "Hello", "finish": "stop", ...}}

The first line that it writes tells the versions. It ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from importlib import import_module, metadata
from typing import Any, TextIO

from tests.real.outcomes.seen import Seen, watch

QUESTION = [{"role": "user", "content": "hi"}]


def _litellm() -> Any:
    """The module, told to stay at home: it would fetch prices and report its use."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    litellm: Any = import_module("litellm")
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    return litellm


def _params(way: str, url: str, timeout_s: float) -> dict[str, Any]:
    """The model and where it is."""
    anthropic = way == "anthropic"
    model, base = ("anthropic/m", url) if anthropic else ("openai/m", f"{url}/v1")
    return {"model": model, "api_base": base, "api_key": "k", "timeout": timeout_s}


async def _stream(litellm: Any, case: dict[str, Any]) -> AsyncIterator[Any]:
    """The answer to one question."""
    params = _params(case["way"], case["url"], case["timeout_s"])
    if case["way"] != "router":
        return await litellm.acompletion(**params, messages=QUESTION, stream=True)  # type: ignore[no-any-return]
    backup = _params("openai", case["backup"], case["timeout_s"])
    router = litellm.Router(
        model_list=[
            {"model_name": "primary", "litellm_params": params},
            {"model_name": "backup", "litellm_params": backup},
        ],
        fallbacks=[{"primary": ["backup"]}],
        num_retries=0,
    )
    return await router.acompletion(model="primary", messages=QUESTION, stream=True)  # type: ignore[no-any-return]


async def _answer(litellm: Any, case: dict[str, Any], out: TextIO) -> None:
    async def ask(seen: Seen) -> None:
        async for chunk in await _stream(litellm, case):
            for choice in chunk.choices or ():
                seen.text += choice.delta.content or ""
                seen.finish = choice.finish_reason or seen.finish

    seen = await watch(ask, case["deadline_s"])
    print(json.dumps({"id": case["id"], "seen": asdict(seen)}), file=out, flush=True)


async def _serve(out: TextIO) -> None:
    litellm = _litellm()
    names = ("litellm", "openai", "aiohttp", "httpx")
    print(json.dumps({name: metadata.version(name) for name in names}), file=out, flush=True)
    async with asyncio.TaskGroup() as tasks:
        while line := await asyncio.to_thread(sys.stdin.readline):
            tasks.create_task(_answer(litellm, json.loads(line), out))


def main() -> None:
    """What LiteLLM prints goes to stderr: stdout is ours."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        asyncio.run(_serve(out))
    os._exit(0)  # it leaves threads behind that nobody ends


if __name__ == "__main__":
    main()
