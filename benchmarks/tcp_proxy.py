"""Our TCP proxy in a process of its own: ``python -m benchmarks.tcp_proxy UPSTREAM_PORT [LATENCY_MS]``."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop

from chaosproxy.dice import Dice
from chaosproxy.faults.toxic.latency import ToxicLatency
from chaosproxy.proxy.tcp.tcp_proxy import TcpProxy
from chaosproxy.proxy.timers import Timers


async def _serve(upstream_port: int, latency_ms: int) -> None:
    clock = time.monotonic
    upstream = f"127.0.0.1:{upstream_port}"
    proxy = TcpProxy("bench", "127.0.0.1:0", upstream, clock=clock, timers=Timers(clock), dice=Dice(1))
    if latency_ms:
        proxy.add("latency", ToxicLatency(latency=latency_ms / 1000))
    await proxy.start()
    print(json.dumps({"port": int(proxy.listen.rpartition(":")[2])}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
