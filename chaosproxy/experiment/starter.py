"""The first experiment for somebody's own URLs: small, harmless in size, and commented where it wants a change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chaosproxy.experiment.section import host_of

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_PORT = 9001
"""The first listener's; the others follow."""


def starter(entry: str, backends: Mapping[str, str], model: str) -> str:
    """An experiment file for ``entry`` and ``backends`` (name to URL, at least one), which the linter accepts.

    Answers of the first backend are cut; where there is another one, the first is partitioned later on.
    """
    names = list(backends)
    roles = [", role: primary", *[", role: fallback"] * (len(names) - 1)] if len(names) > 1 else [""]
    listeners = [
        f'    {name}: {{listen: "127.0.0.1:{port}", upstream: {json.dumps(url)}{role}}}'
        for port, (name, url), role in zip(range(FIRST_PORT, 65536), backends.items(), roles, strict=False)
    ]
    hosts = ", ".join(dict.fromkeys(json.dumps(host_of(url)) for url in (entry, *backends.values())))
    several = len(names) > 1
    return _FILE.format(
        question=_OUTAGE_QUESTION if several else _CUT_QUESTION,
        entry=json.dumps(entry),
        listeners="\n".join(listeners),
        model=json.dumps(model),
        faults=_CUT.format(first=names[0]) + (_OUTAGE.format(first=names[0]) if several else ""),
        hypothesis=_HONEST + (_FALLBACK if several else ""),
        hosts=hosts,
    )


def listener_urls(backends: Mapping[str, str]) -> dict[str, str]:
    """What the system under test must call instead of each backend: our listener, with the backend's path."""
    return {
        name: f"http://127.0.0.1:{port}{urlsplit(url).path.rstrip('/')}"
        for port, (name, url) in enumerate(backends.items(), FIRST_PORT)
    }


_OUTAGE_QUESTION = "Does the system hide an outage of its first backend, and is it honest about cut answers?"
_CUT_QUESTION = "Is the system honest about answers that were cut on their way?"

_FILE = """\
experiment: v1
question: {question}

topology:
  entry: {entry}
  backends: # the system under test must call these listeners instead of the upstreams behind them
{listeners}

load: # every call costs tokens at your backends
  arrival: {{rate: 2/s}}
  request:
    api: openai.chat
    model: {model}
    max_tokens: 64
    timeout: 20s
    # headers: {{authorization: "Bearer ${{env:API_KEY}}"}}
timeline: {{warmup: 3s, lasts: 50s, quiet_tail: 15s}}

gate: {{window: 5s, expect: [success >= 95%]}} # before anything is broken

faults:
{faults}
hypothesis:
{hypothesis}
safety: # a run that exceeds one of these is ended
  allow_hosts: [{hosts}]
  max_lasts: 1m
  max_upstream_requests: 500
  max_upstream_rate: 10/s
  max_upstream_tokens: 50000
  max_cost: 1.00
  prices: {{"*": {{input: 10.00, output: 40.00}}}} # of a million tokens; dear to be safe, write those of your model
"""

_CUT = """\
  - {{id: cut, target: {first}, at: 8s, lasts: 8s, share: 50%, do: {{type: stream.truncate, where: "token:5"}}}}
"""
_OUTAGE = """\
  - {{id: outage, target: {first}, at: 20s, lasts: 10s, do: {{type: partition}}}}
"""
_HONEST = """\
  - silent_truncated == 0 # no cut answer is passed off as a whole one
  - hung == 0
"""
_FALLBACK = """\
  - {id: fallback, expect: failover_time(outage) <= 5s, sustained: {success: 80%, for: 3s}}
  - {id: recovery, expect: recovery_time(outage) <= 10s, sustained: {share_of_baseline: 50%, for: 3s}}
"""
