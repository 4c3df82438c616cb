"""Traffic that must look alike at both ends, whichever server is in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.twin.traffic_kit import Peer, Play, Rig

QUIET_S = 0.25
"""How long nothing has to happen where nothing may."""
DATA = bytes(range(256)) * 4


def blob(size: int) -> bytes:
    """That many bytes, which do not repeat soon."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@dataclass(frozen=True)
class Traffic:
    """One case; with a ``deviation`` the facts must differ."""

    name: str
    play: Play
    deviation: str | None = None


def toxic(type: str, stream: str = "downstream", toxicity: float = 1, **attributes: int) -> dict[str, Any]:  # noqa: A002
    """A toxic with its attributes."""
    return {"type": type, "stream": stream, "toxicity": toxicity, **attributes}


# ------------------------------------------------------------------------------------------------------------- carrying


async def carried(rig: Rig, *toxics: dict[str, Any], size: int = 1000, back: int = 1000) -> None:
    """A request, an answer, and a close by the client: bytes, and when they came."""
    await rig.open(*toxics)
    client, upstream = await rig.pair()
    begun = rig.now
    client.send(blob(size))
    await upstream.bytes(size)
    answered = rig.now
    rig.took(request=upstream.got_at - begun)
    upstream.send(blob(back))
    await client.bytes(back)
    rig.took(answer=client.got_at - answered)
    client.close()
    rig.fact(end=await upstream.ended(), request=upstream.digest, answer=client.digest)


async def closed_by_upstream(rig: Rig, *toxics: dict[str, Any], size: int = 1000) -> None:
    """An answer that ends with a FIN: bytes, the end, and when."""
    await rig.open(*toxics)
    client, upstream = await rig.pair()
    begun = rig.now
    upstream.send(blob(size))
    upstream.close()
    rig.fact(end=await client.ended(), answer=client.digest)
    rig.took(data=max(0.0, client.got_at - begun), end=client.end_at - begun)


async def closed_by_client(rig: Rig, *toxics: dict[str, Any], size: int = 1000) -> None:
    """A request that ends with a close: bytes, the end, and when."""
    await rig.open(*toxics)
    client, upstream = await rig.pair()
    begun = rig.now
    client.send(blob(size))
    client.close()
    rig.fact(end=await upstream.ended(), request=upstream.digest)
    rig.took(data=max(0.0, upstream.got_at - begun), end=upstream.end_at - begun)


async def cut(rig: Rig, *toxics: dict[str, Any], sends: int = 1000, by: str = "upstream") -> None:
    """The server itself ends a connection on which one side has sent something."""
    await rig.open(*toxics)
    client, upstream = await rig.pair()
    begun = rig.now
    (upstream if by == "upstream" else client).send(blob(sends))
    ends = await asyncio.gather(client.ended(), upstream.ended())
    rig.fact(client=ends[0], answer=client.digest, request=upstream.digest)
    rig.took(client=client.end_at - begun, upstream=upstream.end_at - begun)
    if sends < 65_536:  # whoever is still sending gets a FIN or, when it is too late for that, an RST
        rig.fact(upstream=ends[1])


async def nothing(rig: Rig, *toxics: dict[str, Any], by: str = "upstream") -> None:
    """What is sent never arrives, and nothing ends."""
    await rig.open(*toxics)
    client, upstream = await rig.pair()
    (upstream if by == "upstream" else client).send(DATA)
    await asyncio.sleep(QUIET_S)
    rig.fact(client=client.end, upstream=upstream.end, answer=client.digest, request=upstream.digest)


# --------------------------------------------------------------------------------------------------------- live changes


async def answered(rig: Rig, client: Peer, upstream: Peer, what: str) -> None:
    """Time of one more answer on an open connection."""
    have, begun = len(client.got), rig.now
    upstream.send(DATA)
    await client.bytes(have + len(DATA))
    rig.took(**{what: client.got_at - begun})


async def latency_comes_and_goes(rig: Rig) -> None:
    """An open connection becomes slow, slower, and quick again."""
    await rig.open()
    client, upstream = await rig.pair()
    await answered(rig, client, upstream, "before")
    await rig.add("latency", latency=80)
    await answered(rig, client, upstream, "with")
    await rig.change("latency", latency=160)
    await answered(rig, client, upstream, "changed")
    await rig.remove("latency")
    await answered(rig, client, upstream, "without")
    rig.fact(answer=client.digest)


async def removal_lets_go(rig: Rig) -> None:
    """What a toxic holds back comes when it is removed."""
    await rig.open(toxic("latency", latency=5000))
    client, upstream = await rig.pair()
    begun = rig.now
    upstream.send(DATA)
    await asyncio.sleep(0.05)
    await rig.remove("latency")
    await client.bytes(len(DATA))
    rig.took(released=client.got_at - begun)
    rig.fact(answer=client.digest)


async def reset_heals(rig: Rig) -> None:
    """The API's reset ends all toxics."""
    await rig.open(toxic("latency", latency=3000), toxic("bandwidth", rate=0, stream="upstream"))
    await rig.call("POST", "/reset")
    client, upstream = await rig.pair()
    await answered(rig, client, upstream, "answer")
    client.send(DATA)
    await upstream.bytes(len(DATA))
    rig.fact(request=upstream.digest)


async def bandwidth_is_raised(rig: Rig) -> None:
    """A connection that hardly moves becomes quick."""
    await rig.open(toxic("bandwidth", rate=1))
    client, upstream = await rig.pair()
    await rig.change("bandwidth", rate=1000)
    await answered(rig, client, upstream, "answer")
    await rig.remove("bandwidth")
    await answered(rig, client, upstream, "without")
    rig.fact(answer=client.digest)


async def timeout_is_removed(rig: Rig) -> None:
    """A removed timeout closes what it held."""
    await rig.open(toxic("timeout", timeout=0))
    client, upstream = await rig.pair()
    upstream.send(DATA)
    await asyncio.sleep(0.05)
    await rig.remove("timeout")
    rig.fact(client=await client.ended(), answer=client.digest)


async def timeout_restarts(rig: Rig) -> None:
    """Each chunk postpones the end."""
    await rig.open(toxic("timeout", timeout=300))
    client, upstream = await rig.pair()
    begun = rig.now
    for _ in range(4):
        upstream.send(DATA)
        await asyncio.sleep(0.1)
    rig.fact(client=await client.ended(), answer=client.digest)
    rig.took(client=client.end_at - begun)


async def limit_survives_a_patch(rig: Rig) -> None:
    """Bytes that passed before a change count."""
    await rig.open(toxic("limit_data", bytes=1500))
    client, upstream = await rig.pair()
    upstream.send(blob(1000))
    await client.bytes(1000)
    await rig.change("limit_data", bytes=1600)
    upstream.send(blob(1000))
    rig.fact(client=await client.ended(), answer=client.digest)


async def limit_per_connection(rig: Rig) -> None:
    """Every connection has the whole limit."""
    await rig.open(toxic("limit_data", bytes=600))
    for number in range(2):
        client, upstream = await rig.pair()
        upstream.send(blob(1000))
        rig.fact(**{f"client{number}": await client.ended(), f"answer{number}": client.digest})


async def toxic_joins_and_ends(rig: Rig, joining: dict[str, Any]) -> None:
    """A toxic that comes to an open connection and ends it."""
    await rig.open()
    client, upstream = await rig.pair()
    await answered(rig, client, upstream, "before")
    await rig.add(**joining)
    begun = rig.now
    upstream.send(DATA)
    rig.fact(client=await client.ended(), answer=client.digest)
    rig.took(client=client.end_at - begun)


# -------------------------------------------------------------------------------------------------------------- proxies


async def disabled(rig: Rig) -> None:
    """The port refuses, open connections end, and all works again afterwards."""
    await rig.open()
    client, upstream = await rig.pair()
    await rig.call("PATCH", "/proxies/p", {"enabled": False})
    rig.fact(client=await client.ended(), upstream=await upstream.ended())
    try:
        await rig.client()
    except OSError as error:
        rig.fact(refused=type(error).__name__)
    await rig.call("PATCH", "/proxies/p", {"enabled": True})
    client, upstream = await rig.pair()
    await answered(rig, client, upstream, "answer")


async def deleted(rig: Rig) -> None:
    """Open connections end."""
    await rig.open()
    client, upstream = await rig.pair()
    await rig.call("DELETE", "/proxies/p")
    rig.fact(client=await client.ended(), upstream=await upstream.ended())


async def other_upstream(rig: Rig) -> None:
    """Open connections end, new ones go elsewhere, toxics stay."""
    await rig.open(toxic("latency", latency=60))
    client, upstream = await rig.pair()
    await rig.call("PATCH", "/proxies/p", {"upstream": await rig.upstream()})
    rig.fact(client=await client.ended(), upstream=await upstream.ended())
    client, upstream = await rig.pair()
    await answered(rig, client, upstream, "answer")


async def replaced(rig: Rig) -> None:
    """Populating with another upstream ends connections and toxics."""
    await rig.open(toxic("latency", latency=1000))
    client, upstream = await rig.pair()
    body = {"name": "p", "listen": f"127.0.0.1:{rig.port}", "upstream": await rig.upstream()}
    await rig.call("POST", "/populate", [body])
    rig.fact(client=await client.ended(), upstream=await upstream.ended())
    client, upstream = await rig.pair()
    await answered(rig, client, upstream, "answer")


async def kept(rig: Rig) -> None:
    """Populating with the same leaves a connection alone."""
    address = await rig.upstream()
    await rig.open(upstream=address)
    client, upstream = await rig.pair()
    await rig.call("POST", "/populate", [{"name": "p", "listen": f"127.0.0.1:{rig.port}", "upstream": address}])
    await answered(rig, client, upstream, "answer")
    rig.fact(client=client.end)


async def nobody_there(rig: Rig, upstream: str) -> None:
    """A client is accepted, and gets a FIN."""
    await rig.open(upstream=upstream)
    client = await rig.client()
    rig.fact(client=await client.ended(), answer=client.digest)


async def many(rig: Rig) -> None:
    """Connections do not wait for each other."""
    await rig.open(toxic("latency", latency=60))
    begun = rig.now
    pairs = [await rig.pair() for _ in range(20)]
    for _client, upstream in pairs:
        upstream.send(DATA)
    await asyncio.gather(*(client.bytes(len(DATA)) for client, _upstream in pairs))
    rig.fact(answers=sorted(client.digest for client, _upstream in pairs))
    rig.took(all=rig.now - begun)


async def both_at_once(rig: Rig) -> None:
    """Both directions are busy, each with a toxic."""
    size = 300_000
    await rig.open(toxic("latency", latency=20), toxic("slicer", "upstream", average_size=5000))
    client, upstream = await rig.pair()
    client.send(blob(size))
    upstream.send(blob(size)[::-1])
    await asyncio.gather(client.bytes(size), upstream.bytes(size))
    rig.fact(answer=client.digest, request=upstream.digest)


async def counted(rig: Rig) -> None:
    """What Prometheus is told, once the connection has ended."""
    await rig.open(toxic("limit_data", bytes=700))
    client, upstream = await rig.pair()
    client.send(blob(321))
    await upstream.bytes(321)
    upstream.send(blob(1_000_000))
    rig.fact(client=await client.ended())
    client.close()
    await upstream.ended()
    for _ in range(200):
        lines = (await rig.call("GET", "/metrics")).body.splitlines()
        found = [line for line in lines if f'listener="127.0.0.1:{rig.port}"' in line and "sent" in line]
        if len(found) == 2:
            break
        await asyncio.sleep(0.02)
    rig.fact(sent=sorted((line.partition('direction="')[2][:4], line.split()[-1]) for line in found))


# ----------------------------------------------------------------------------------------------------------- deviations


async def slices_and_latency(rig: Rig) -> None:
    """Seven slices of 20 ms, and 200 ms of latency: counted from the first byte, or for each slice."""
    await rig.open(toxic("slicer", average_size=128, delay=20_000), toxic("latency", latency=200))
    client, upstream = await rig.pair()
    begun = rig.now
    upstream.send(DATA)
    await client.bytes(len(DATA))
    rig.fact(added_up=client.got_at - begun > 0.3)


async def half_closed(rig: Rig) -> None:
    """A client that has said all still wants its answer."""
    await rig.open()
    client, upstream = await rig.pair()
    client.send(DATA)
    client.finish()
    await upstream.ended()
    upstream.send(DATA)
    await client.bytes(len(DATA))
    rig.fact(answer=client.digest)


async def spared_by_reset(rig: Rig) -> None:
    """A connection that the toxicity spares ends as if there were no toxic."""
    await closed_by_upstream(rig, toxic("reset_peer", toxicity=0, timeout=0))


async def reset_by(rig: Rig, who: str) -> None:
    """One side resets; what the other one gets."""
    await rig.open()
    client, upstream = await rig.pair()
    await answered(rig, client, upstream, "answer")
    near, far = (client, upstream) if who == "client" else (upstream, client)
    near.reset()
    rig.fact(end=await far.ended())


async def reset_is_pending(rig: Rig) -> None:
    """Removing a toxic that waits."""
    await rig.open(toxic("reset_peer", timeout=1000))
    client, upstream = await rig.pair()
    upstream.send(DATA)
    await asyncio.sleep(0.1)
    begun = rig.now
    await rig.remove("reset_peer")
    rig.fact(at_once=rig.now - begun < 0.4)
    del client


def _case(name: str, play: Callable[..., Any], *args: Any, deviation: str | None = None, **keys: Any) -> Traffic:
    async def run(rig: Rig) -> None:
        await play(rig, *args, **keys)

    return Traffic(name, run, deviation)


T = toxic
CASES: Sequence[Traffic] = [
    _case("nothing between", carried),
    _case("a lot, both ways", carried, size=2_000_000, back=3_000_000),
    _case("both ways at once", both_at_once),
    _case("one byte", carried, size=1, back=1),
    _case("closed by the upstream", closed_by_upstream),
    _case("closed by the upstream after a lot", closed_by_upstream, size=1_000_000),
    _case("closed by the client", closed_by_client),
    _case("many connections", many),
    _case("noop", carried, T("noop")),
    _case("latency", carried, T("latency", latency=80)),
    _case("latency upstream", carried, T("latency", "upstream", latency=80)),
    _case("latency on a lot", closed_by_upstream, T("latency", latency=60), size=1_000_000),
    _case("latency delays the end", closed_by_upstream, T("latency", latency=120), size=10),
    _case("latency with toxicity 0", carried, T("latency", toxicity=0, latency=500)),
    _case("bandwidth", closed_by_upstream, T("bandwidth", rate=100), size=30_000),
    _case("bandwidth upstream", closed_by_client, T("bandwidth", "upstream", rate=100), size=30_000),
    _case("bandwidth of a small chunk", carried, T("bandwidth", rate=10)),
    _case("bandwidth 0", nothing, T("bandwidth", rate=0)),
    _case("slow close", closed_by_upstream, T("slow_close", delay=200)),
    _case("slow close upstream", closed_by_client, T("slow_close", "upstream", delay=200)),
    _case("slow close after latency", closed_by_upstream, T("latency", latency=50), T("slow_close", delay=100)),
    _case("timeout", cut, T("timeout", timeout=200)),
    _case("timeout upstream", cut, T("timeout", "upstream", timeout=200), by="client"),
    _case("timeout 0", nothing, T("timeout", timeout=0)),
    _case("timeout 0 upstream", nothing, T("timeout", "upstream", timeout=0), by="client"),
    _case("timeout restarts with each chunk", timeout_restarts),
    _case("timeout is removed", timeout_is_removed),
    _case("reset at once", cut, T("reset_peer", timeout=0)),
    _case("reset after a while", cut, T("reset_peer", timeout=200)),
    _case("reset upstream", cut, T("reset_peer", "upstream", timeout=100), by="client"),
    _case("reset without data", nothing, T("reset_peer", "upstream", timeout=10)),
    _case("slicer", closed_by_upstream, T("slicer", average_size=100, size_variation=50, delay=10_000), size=1000),
    _case("slicer without a delay", carried, T("slicer", average_size=64, size_variation=32), back=10_000),
    _case("slicer upstream", closed_by_client, T("slicer", "upstream", average_size=100, delay=5000)),
    _case("limit", cut, T("limit_data", bytes=600)),
    _case("limit that is met exactly", cut, T("limit_data", bytes=1000)),
    _case("limit that is not met", carried, T("limit_data", bytes=5000)),
    _case("limit 0", cut, T("limit_data", bytes=0)),
    _case("limit upstream", cut, T("limit_data", "upstream", bytes=600), by="client"),
    _case("limit in a lot", cut, T("limit_data", bytes=100_001), sends=400_000),
    _case("limit survives a PATCH", limit_survives_a_patch),
    _case("limit counts for each connection", limit_per_connection),
    _case("limit behind latency", cut, T("latency", latency=80), T("limit_data", bytes=500)),
    _case("latency comes and goes", latency_comes_and_goes),
    _case("removal lets go", removal_lets_go),
    _case("a reset of the API heals", reset_heals),
    _case("bandwidth is raised", bandwidth_is_raised),
    _case("a limit joins", toxic_joins_and_ends, T("limit_data", bytes=100)),
    _case("a timeout joins", toxic_joins_and_ends, T("timeout", timeout=100)),
    _case("disabled", disabled),
    _case("deleted", deleted),
    _case("another upstream", other_upstream),
    _case("replaced", replaced),
    _case("kept", kept),
    _case("nobody listens", nobody_there, "127.0.0.1:1"),
    _case("an upstream without a port", nobody_there, "nowhere"),
    _case("an upstream without an address", nobody_there, "256.0.0.1:1"),
    _case("counted", counted),
    _case("reset by the client", reset_by, "client", deviation="reset-goes-on"),
    _case("reset by the upstream", reset_by, "upstream", deviation="reset-goes-on"),
    _case("a reset joins", toxic_joins_and_ends, T("reset_peer", timeout=50), deviation="reset-joins"),
    _case("latency behind a slicer", slices_and_latency, deviation="latency-behind"),
    _case("half-closed", half_closed, deviation="half-close"),
    _case("spared by a reset", spared_by_reset, deviation="toxicity-0"),
    _case("a reset that is pending is removed", reset_is_pending, deviation="prompt-removal"),
]
