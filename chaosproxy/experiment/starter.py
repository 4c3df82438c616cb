"""The first experiment for somebody's own URLs: small, harmless in size, and commented where it wants a change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chaosproxy.experiment.section import host_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FIRST_PORT = 9001
"""The first listener's; the others follow."""


@dataclass(frozen=True, slots=True)
class Running:
    """Proxies that run already: where their control API is, and what roles their listeners have.

    ``hosts`` are those of the upstreams, ``key_variable`` is the environment variable with the entry's key, if any.
    """

    control: str
    roles: Mapping[str, str | None]
    hosts: Sequence[str]
    key_variable: str | None = None


def starter(entry: str, backends: Mapping[str, str], model: str, running: Running | None = None) -> str:
    """An experiment file for ``entry`` and ``backends`` (name to URL, at least one), which the linter accepts.

    Answers of the first backend are cut; where there is another one, the first is partitioned later on.
    """
    names, several = list(backends), len(backends) > 1
    hosts = [host_of(url) for url in (entry, *([] if running else backends.values()))]
    if running is not None:
        hosts += [host_of(running.control), *running.hosts]
    return _FILE.format(
        question=_OUTAGE_QUESTION if several else _CUT_QUESTION,
        entry=json.dumps(entry),
        listeners="\n".join(_listeners(backends, running)),
        model=json.dumps(model),
        key=_KEY.format(variable=running.key_variable) if running and running.key_variable else _KEY_LEFT_OUT,
        faults=_CUT.format(first=names[0]) + (_OUTAGE.format(first=names[0]) if several else ""),
        hypothesis=_HONEST + (_FALLBACK if several else ""),
        abort="" if running is None else _ABORT,
        hosts=", ".join(dict.fromkeys(map(json.dumps, hosts))),
    )


def _listeners(backends: Mapping[str, str], running: Running | None) -> Iterator[str]:
    several = len(backends) > 1
    for index, (name, url) in enumerate(backends.items()):
        role = (None, "primary", "fallback")[several * (1 + bool(index))] if running is None else running.roles[name]
        more = "" if role is None else f", role: {role}"
        yield f'    {name}: {{listen: "127.0.0.1:{FIRST_PORT + index}", upstream: {json.dumps(url)}{more}}}'
    if running is not None:
        yield f"  attach: {{control: {json.dumps(running.control)}}} # chaosproxy serve has the listeners open"


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
{key}timeline: {{warmup: 3s, lasts: 50s, quiet_tail: 15s}}

gate: {{window: 5s, expect: [success >= 95%]}} # before anything is broken

faults:
{faults}
hypothesis:
{hypothesis}{abort}
safety: # a run that exceeds one of these is ended
  allow_hosts: [{hosts}]
  max_lasts: 1m
  max_upstream_requests: 500
  max_upstream_rate: 10/s
  max_upstream_tokens: 50000
  max_cost: 1.00
  prices: {{"*": {{input: 10.00, output: 40.00}}}} # of a million tokens; dear to be safe, write those of your model
"""

_KEY = """\
    headers: {{authorization: "Bearer ${{env:{variable}}}"}}
"""
_KEY_LEFT_OUT = """\
    # headers: {authorization: "Bearer ${env:API_KEY}"}
"""
_ABORT = """
abort:
  - {when: error_rate > 60%, for: 10s, min_samples: 20}
  - elapsed > 3m
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
