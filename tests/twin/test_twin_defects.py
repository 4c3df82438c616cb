"""What the reference does wrong and ours does not: each on a server of its own, because it may not survive."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import toxiproxy
from tests.twin.traffic_kit import Rig
from tests.twin.twin_kit import SEED, Server, Twins, ours, real, running

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("reference")]

PROMPT_S = 0.1
"""In which the API answers, whatever peers do."""
DRAWS = 40
CHUNKS = 50


async def survives(server: Server, toxic: dict[str, Any]) -> bool:
    """Whether a server survives data on a toxic. One that refuses the toxic has nothing to survive."""
    async with Rig(server) as rig:
        await rig.open()
        made = await rig.call("POST", "/proxies/p/toxics", toxic)
        client, upstream = await rig.pair()
        for number in range(1, CHUNKS + 1 if made.status == 200 else 1):  # one of the defects depends on luck
            upstream.send(b"x" * 1000)
            await client.bytes(1000 * number)
        try:
            return (await rig.call("GET", "/version")).status == 200
        except OSError:
            return False


CRASHES: dict[str, dict[str, Any]] = {
    "slicer-defaults": {"type": "slicer"},
    "slicer-variation": {"type": "slicer", "attributes": {"average_size": 10, "size_variation": 900}},
    "negative-attributes": {"type": "bandwidth", "attributes": {"rate": -1}},
}


async def test_no_toxic_crashes_the_server(twins: Twins) -> None:
    """There, each of these ends the process: the first one by the attributes that it has by default."""
    with running(*(real() for _ in CRASHES)) as victims:
        for victim, toxic in zip(victims, CRASHES.values(), strict=True):
            assert not await survives(victim, toxic)
            assert await survives(twins.ours, toxic)
            await asyncio.to_thread(twins.ours.clean)


async def stuck(server: Server, wait_s: float) -> tuple[float, float]:
    """How long DELETE and GET take while a client does not read. Raises TimeoutError."""
    async with Rig(server) as rig:
        await rig.open()
        await rig.add("latency", latency=1)
        client, upstream = await rig.pair()
        client.transport.pause_reading()
        upstream.send(b"x" * 20_000_000)
        level = -1
        while upstream.transport.get_write_buffer_size() != level:  # until nobody on the way takes more
            level = upstream.transport.get_write_buffer_size()
            await asyncio.sleep(0.2)
        begun = rig.now
        await rig.call("DELETE", "/proxies/p/toxics/latency", within_s=wait_s)
        deleted = rig.now
        await rig.call("GET", "/proxies", within_s=wait_s)
        return deleted - begun, rig.now - deleted


async def test_a_client_that_does_not_read_blocks_no_request(twins: Twins) -> None:
    """prompt-removal: there, every request waits for 25 s."""
    with running(real()) as (victim,):
        with pytest.raises(TimeoutError):
            await stuck(victim, 1.0)
        victim.process.kill()
    times = []
    for _ in range(3):  # the best of a few: this process may be late
        times.append(await stuck(twins.ours, 10.0))
        await asyncio.to_thread(twins.ours.clean)

    assert min(delete for delete, _ in times) < PROMPT_S
    assert min(get for _, get in times) < PROMPT_S


async def draws(server: Server) -> list[bool]:
    """Which of many connections a toxicity of one half met."""
    met = []
    async with Rig(server) as rig:
        await rig.open()
        await rig.add("limit_data", toxicity=0.5, bytes=1)
        for _ in range(DRAWS):
            client, upstream = await rig.pair()
            upstream.send(b"12")
            met.append(len(await client.bytes(2)) == 1)
    return met


async def test_the_same_seed_gives_the_same_draws(twins: Twins) -> None:
    """seed: there it is read and thrown away."""
    with running(real("-seed", SEED), ours("-seed", SEED)) as (theirs, mine):
        drawn = [await draws(server) for server in (twins.real, theirs, twins.ours, mine)]

    assert drawn[0] != drawn[1]
    assert drawn[2] == drawn[3]
    assert 5 < sum(drawn[2]) < DRAWS - 5


def test_a_busy_port_ends_the_process() -> None:
    """busy-api-port: there it is logged, and the process waits for a signal without an API."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        theirs = subprocess.Popen(
            [toxiproxy().program, "-host", "127.0.0.1", "-port", port], stdout=subprocess.PIPE, text=True
        )
        try:
            assert theirs.stdout is not None
            while "Server finished with error" not in theirs.stdout.readline():
                assert theirs.poll() is None
            assert theirs.poll() is None
        finally:
            theirs.kill()
            theirs.communicate()
        mine = _run("--port", port)

    assert mine.returncode == 5
    assert f"cannot listen on 127.0.0.1:{port}: " in mine.stderr


def _run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chaosproxy", "toxiproxy", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_file_of_proxies(tmp_path: Path) -> None:
    """Both create its proxies; ours its toxics, too (toxics-at-creation)."""
    config = tmp_path / "toxiproxy.json"
    toxics = [{"type": "latency", "attributes": {"latency": 7}}]
    proxies = [{"name": "a", "listen": "127.0.0.1:0", "upstream": "u:1", "toxics": toxics}]
    config.write_text(json.dumps(proxies), encoding="utf-8")
    with running(real("-config", str(config)), ours("-config", str(config))) as servers:
        theirs, mine = (server.call("GET", "/proxies").data["a"] for server in servers)

    assert [(each["name"], each["upstream"], each["enabled"]) for each in (theirs, mine)] == [("a", "u:1", True)] * 2
    assert (theirs["toxics"], [each["attributes"] for each in mine["toxics"]]) == ([], [{"latency": 7, "jitter": 0}])


def test_a_bad_file_is_logged_and_the_server_starts(shared_twins: Twins) -> None:
    """Nothing of it was created."""
    for server in (shared_twins.real, shared_twins.ours):
        assert "-config" in server.command
        assert server.call("GET", "/proxies").body == "{}"
