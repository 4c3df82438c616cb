"""How many plans a minute the search tries, against the async openai SDK: ``python -m benchmarks.search``.

In one process on one core, through the real proxy and the lab's backend, in virtual time. Plans are drawn as the search
draws them. A retry is another whole request, so it counts as one more plan; the raw number stands beside it. The
figure per CPU second is the one to compare: others who use the core make the wall clock run, and not that one.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module, metadata

import hypothesis

from chaosproxy.runner.world import opened
from chaosproxy.search.observation import Asked, Call, Plan, Setting
from chaosproxy.search.strategies import plans

BARS = {5: 5000, 10: 3000}
"""Plans a minute, by the length of the answer in tokens."""


@asynccontextmanager
async def call_openai(urls: Mapping[str, str]) -> AsyncIterator[Call]:
    """A streamed question, as an application asks it."""
    async with import_module("openai").AsyncOpenAI(
        base_url=f"{urls['primary']}/v1", api_key="none", timeout=10
    ) as client:

        async def call(asked: Asked) -> str:
            question = [{"role": "user", "content": asked.prompt}]
            stream = await client.chat.completions.create(model=asked.model, messages=question, stream=True)
            texts = [choice.delta.content or "" async for chunk in stream for choice in chunk.choices or ()]
            return "".join(texts)

        yield call


def measure(tokens: int, examples: int, seed: int) -> tuple[int, int, float, float]:
    """Plans, requests beyond the first of each, CPU seconds and seconds; generating the plans included."""
    setting = Setting(tokens=tokens)
    counts = {"plans": 0, "retries": 0}
    with opened(call_openai, setting) as run:

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(plans(3))
        def attempt(plan: Plan) -> None:
            counts["plans"] += 1
            counts["retries"] += max(0, len(run(plan).exchanges) - 1)

        attempt()  # what is made once, and the imports
        counts.update(plans=0, retries=0)
        gc.collect()
        began_cpu_s, began_s = time.process_time(), time.perf_counter()
        attempt()
        took = time.process_time() - began_cpu_s, time.perf_counter() - began_s
    return counts["plans"], counts["retries"], *took


def main() -> None:
    """Print a line for each length of answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(f"openai {metadata.version('openai')}")
    for tokens, bar in BARS.items():
        tried, retries, cpu_s, took_s = measure(tokens, given.examples, given.seed)
        a_minute = 60 * (tried + retries) / cpu_s
        print(
            f"{tokens} tokens: {a_minute:,.0f} plans a minute of CPU (bar {bar:,}), {60 * tried / cpu_s:,.0f} without "
            f"counting {retries} retries; {60 * (tried + retries) / took_s:,.0f} by the wall clock"
        )


if __name__ == "__main__":
    main()
