"""Experiments on a real Toxiproxy server: what clients feel, and that nothing of ours stays there."""

from __future__ import annotations

import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosproxy.journal.records import FaultEdge, Healed, Swept
from chaosproxy.journal.traffic import FaultHit
from tests.e2e.drill import Ended, drill, free_port, repeat_inconclusive, running, small
from tests.toxics.servers import Fake, Real, faking, real_server

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.real]

PAGE = Path(__file__).parents[2] / "docs/how-to/use-a-toxiproxy-server.md"
SLOW = {"type": "toxic.latency", "latency": "400ms"}


@pytest.fixture
def server() -> Iterator[Real]:
    """With a proxy and a toxic of the user's own on it."""
    with real_server() as real:
        real.ask("POST", "/proxies", {"name": "mine", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"})
        real.ask(
            "POST", "/proxies/mine/toxics", {"name": "my slow one", "type": "latency", "attributes": {"latency": 7}}
        )
        yield real


def fault(do: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A fault that acts from 800 ms on for a second."""
    return {"id": "there", "target": "a", "at": "800ms", "lasts": "1s", "do": do, **settings}


def on(server: Real | Fake, *faults: dict[str, Any], listen: str = "127.0.0.1:0", **sections: Any) -> str:
    """The small experiment with its faults on a server."""
    topology = {
        "entry": "${listener.a}",
        "backends": {"a": {"listen": listen, "upstream": "models"}},
        "toxics": {"server": server.url},
    }
    return small(**{"topology": topology, "faults": list(faults), **sections})


def edges(ended: Ended) -> list[str]:
    """Of all faults, in their order."""
    return [edge.edge for edge in ended.all(FaultEdge)]


def test_a_system_that_holds_and_one_that_does_not(tmp_path: Path, server: Real) -> None:
    """The same experiment: a toxic that the calls may feel, and one that they may not; the user's own things stay."""
    before = server.proxies()
    expectations = [
        "success == 100%",
        {"expect": "ttft.p50 <= 150ms", "over": "there.applied..there.healed", "min_samples": 5},
    ]
    held = drill(tmp_path, on(server, fault({"type": "toxic.latency", "latency": "20ms"}), hypothesis=expectations))
    assert held.code == 0, held.sentences
    assert edges(held) == ["applied", "healed"]

    deviated = drill(tmp_path, on(server, fault(SLOW), hypothesis=expectations))
    assert deviated.code == 1, deviated.err
    assert "toxic.latency (fault 'there') acted on the way to a" in deviated.sentences
    for ended in (held, deviated):
        (account,) = ended.report.faults
        assert account.enough
        assert account.load_hits == len({hit.exchange for hit in ended.all(FaultHit)}) >= 8
        assert [healed.verified for healed in ended.all(Healed)] == [True]
    assert server.proxies() == before


def test_the_example_of_the_documentation(tmp_path: Path, server: Real) -> None:
    """It runs as it stands there, and holds."""
    (text, *_) = re.findall(r"^```yaml\n(experiment: v1\n.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    ended = repeat_inconclusive(lambda: drill(tmp_path, text.replace("http://127.0.0.1:8474", server.url)))

    assert ended.code == 0, (ended.sentences, ended.err)
    assert list(server.proxies()) == ["mine"]


@pytest.mark.parametrize("mode", ["refuse", "blackhole", "reset", "lost_request", "lost_response"])
def test_partitions(tmp_path: Path, server: Real, mode: str) -> None:
    """Each mode keeps answers away while it acts, and only then."""
    cut = {"type": "partition", "via": "toxiproxy", "mode": mode, "live_streams": "cut"}
    during = {"expect": "success <= 40%", "over": "there.applied+200ms..there.healed-200ms", "min_samples": 4}
    after = {"expect": "success == 100%", "over": "there.healed+600ms..there.healed+1s", "min_samples": 2}
    load = {"id": "chat", "arrival": {"rate": "20/s", "process": "constant"}, "request": {"timeout": "500ms"}}
    ended = drill(tmp_path, on(server, fault(cut), hypothesis=[during, after], load=load, abort=[]))

    assert ended.code == 0, (ended.sentences, ended.err)
    kinds = {call.error.kind for call in ended.records if call.type == "call" and call.error is not None}
    expected = {"refuse": {"connect"}, "reset": {"reset"}}.get(mode, {"timeout"})
    assert expected <= kinds, kinds
    assert list(server.proxies()) == ["mine"]


def test_a_flap(tmp_path: Path, server: Real) -> None:
    """Toxics come and go."""
    flapping = fault(SLOW, lasts="2.8s", flap={"down": "700ms", "up": "500ms"})
    text = on(server, flapping, timeline={"warmup": "500ms", "lasts": "6s"})
    ended = repeat_inconclusive(lambda: drill(tmp_path, text))

    assert ended.code == 0, ended.sentences
    assert edges(ended) == ["applied", "flap_up", "flap_down", "flap_up", "flap_down", "healed"]


def test_a_share_of_the_connections_is_not_known(tmp_path: Path, server: Real) -> None:
    """Never held, unless the file says that it need not be known."""
    half = fault({**SLOW, "toxicity": "50%"})
    unsure = drill(tmp_path, on(server, half))
    assert unsure.code == 3
    assert "does not say which connections its toxicity chose; min_hits: 0 lets that pass" in unsure.sentences

    assert drill(tmp_path, on(server, {**half, "min_hits": 0})).code == 0


LONG = {"warmup": "500ms", "lasts": "150s"}


def long(server: Real, **sections: Any) -> str:
    """A drill of minutes, whose toxic acts from its first second on."""
    return on(server, {**fault(SLOW), "lasts": "140s"}, timeline=LONG, abort=["elapsed > 300s"], **sections)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_removes_everything(tmp_path: Path, server: Real, number: signal.Signals, code: int) -> None:
    """The toxic, and the proxy that was made for it."""
    before = server.proxies()
    with running(tmp_path, long(server)) as run:
        run.until("there applied")
        (made,) = server.proxies().keys() - before.keys()
        assert [toxic["name"] for toxic in server.proxies()[made]["toxics"]] == ["there"]
        assert made.startswith("chaosproxy.")
        assert made.endswith(".a")
        run.process.send_signal(number)
        ended = run.ended()

    assert ended.code == code, ended.err
    assert [healed.verified for healed in ended.all(Healed)] == [True]
    assert edges(ended) == ["applied", "healed"]
    assert server.proxies() == before


def test_a_killed_run_is_cleaned_up_by_the_next_one(tmp_path: Path, server: Real) -> None:
    """And by no run that begins while it lives."""
    before = server.proxies()
    with running(tmp_path, long(server)) as run:
        run.until("there applied")
        assert drill(tmp_path, on(server, fault(SLOW))).all(Swept) == []
        (left,) = server.proxies().keys() - before.keys()
        run.process.kill()
        run.process.wait()

    assert left in server.proxies()
    ended = drill(tmp_path, on(server, fault(SLOW)))
    assert ended.code == 0, ended.sentences
    assert [swept.name for swept in ended.all(Swept)] == [left]
    assert f"removed {left} from {server.url}: its run is dead" in ended.err
    assert f"an earlier run had left {left}" in ended.sentences
    assert server.proxies() == before


def test_the_users_own_proxy_is_used_as_it_is(tmp_path: Path, server: Real) -> None:
    """Only our toxic comes and goes; what it met cannot be known, for nothing of ours stands behind it."""
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        upstream = f"127.0.0.1:{theirs.getsockname()[1]}"
    listen = f"127.0.0.1:{free_port()}"
    server.ask("POST", "/proxies", {"name": "llm", "listen": listen, "upstream": upstream})
    server.ask("POST", "/proxies/llm/toxics", {"name": "users", "type": "noop"})
    before = server.proxies()
    backend = [sys.executable, "-m", "chaosproxy.lab.backend", "--listen", upstream]
    systems = {"models": {"command": backend, "ready": {"http": f"http://{upstream}/v1/models"}}}
    topology = {
        "entry": "${listener.a}",
        "backends": {"a": {"listen": listen, "upstream": f"http://{upstream}"}},
        "toxics": {"server": server.url},
    }
    text = small(topology=topology, systems=systems, faults=[{**fault(SLOW), "lasts": "140s"}], timeline=LONG)
    with running(tmp_path, text) as run:
        run.until("there applied")
        toxics = [toxic["name"] for toxic in server.proxies()["llm"]["toxics"]]
        assert toxics[0] == "users"
        assert toxics[1].startswith("chaosproxy.")
        assert toxics[1].endswith(".there")
        assert server.proxies().keys() == before.keys()
        run.process.send_signal(signal.SIGINT)
        ended = run.ended()

    assert ended.code == 130
    assert "no listener of ours stands behind it" in ended.sentences
    assert server.proxies() == before


def test_a_tcp_upstream(tmp_path: Path, server: Real) -> None:
    """The server speaks to it itself; HTTP faults go on in our proxy meanwhile."""
    backends = {"a": {"upstream": "models"}, "redis": {"upstream": f"tcp://127.0.0.1:{free_port()}"}}
    topology = {"entry": "${listener.a}", "backends": backends, "toxics": {"server": server.url}}
    cut = fault({"type": "stream.truncate", "where": "token:3"}, id="cut")
    slow = fault(SLOW, target="redis", lasts="140s", min_hits=0)
    with running(tmp_path, small(topology=topology, faults=[cut, slow], timeline=LONG)) as run:
        run.until("cut healed")
        (made,) = server.proxies().keys() - {"mine"}
        assert server.proxies()[made]["upstream"] == backends["redis"]["upstream"].removeprefix("tcp://")
        assert [toxic["name"] for toxic in server.proxies()[made]["toxics"]] == ["there"]
        run.process.send_signal(signal.SIGINT)
        ended = run.ended()

    assert ended.code == 130
    assert ended.all(FaultHit)
    assert list(server.proxies()) == ["mine"]


@pytest.mark.parametrize(
    ("proxy", "do", "words"),
    [
        (
            {"upstream": "127.0.0.1:1"},
            SLOW,
            "its proxy 'llm' listens at {listen} already, with the upstream 127.0.0.1:1",
        ),
        ({"upstream": "127.0.0.1:9"}, {"type": "toxic.down"}, "toxic.down would disable the user's own proxy 'llm'"),
    ],
)
def test_a_proxy_of_the_users_that_is_in_the_way(
    tmp_path: Path, server: Real, proxy: dict[str, Any], do: dict[str, Any], words: str
) -> None:
    """It is named, and nothing is touched."""
    listen = f"127.0.0.1:{free_port()}"
    server.ask("POST", "/proxies", {"name": "llm", "listen": listen, **proxy})
    before = server.proxies()
    topology = {
        "entry": "${listener.a}",
        "backends": {"a": {"listen": listen, "upstream": "http://127.0.0.1:9"}},
        "toxics": {"server": server.url},
    }
    ended = drill(tmp_path, small(topology=topology, faults=[fault(do)]))

    assert ended.code == 5
    assert words.format(listen=listen) in ended.sentences
    assert server.proxies() == before


def test_two_runs_at_once(tmp_path: Path, server: Real) -> None:
    """Neither sees the other's."""
    before = server.proxies()
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with running(folders[0], long(server)) as first:
        first.until("there applied")
        second = drill(folders[1], on(server, fault(SLOW)))
        assert second.code == 0, second.sentences
        (left,) = server.proxies().keys() - before.keys()
        assert [toxic["name"] for toxic in server.proxies()[left]["toxics"]] == ["there"]
        first.process.send_signal(signal.SIGINT)
        assert first.ended(within_s=20).code == 130
    assert server.proxies() == before


def test_a_server_that_dies_in_mid_run(tmp_path: Path, server: Real) -> None:
    """Its heal cannot be verified, and the run says why."""
    with running(tmp_path, long(server, heal={"within": "2s"})) as run:
        run.until("there applied")
        server.process.kill()
        server.process.wait()
        run.process.send_signal(signal.SIGINT)
        ended = run.ended()

    assert ended.code == 5, ended.err
    assert "the heal could not be verified" in ended.sentences
    assert f"fault 'there' may still act: {server.url} cannot be reached: connection refused" in ended.sentences
    assert "Traceback" not in ended.err


def test_somebody_else_resets_the_server(tmp_path: Path, server: Real) -> None:
    """The fault ended early, so the run proves nothing."""
    timeline = {"warmup": "500ms", "lasts": "7s"}
    with running(tmp_path, on(server, {**fault(SLOW), "lasts": "5s"}, timeline=timeline)) as run:
        run.until("there applied")
        server.ask("POST", "/reset")
        ended = run.ended()

    assert ended.code == 3, ended.sentences
    assert "the server had it no more" in ended.sentences


def test_a_client_that_does_not_read(tmp_path: Path, server: Real) -> None:
    """A server waits for such a client when a toxic is removed; our proxy there is then made anew."""
    text = on(
        server,
        {**fault({"type": "toxic.bandwidth", "rate": 1}), "lasts": "2s"},
        timeline={"warmup": "500ms", "lasts": "6s"},
        systems={"models": {"lab": "backend", "tokens": 6, "ttft": "10ms", "inter_token": "5ms"}},
    )
    with running(tmp_path, text) as run:
        run.until("there applied")
        (made,) = server.proxies().keys() - {"mine"}
        host, _, port = server.proxies()[made]["listen"].rpartition(":")
        with socket.create_connection((host, int(port))) as mute:
            mute.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
            ended = run.ended()
    assert ended.code in (0, 1), ended.sentences
    assert [healed.verified for healed in ended.all(Healed)] == [True]
    assert list(server.proxies()) == ["mine"]


def test_what_is_no_toxiproxy_server(tmp_path: Path) -> None:
    """Nobody there, something else there, one that fails: words, nothing started, exit code 5."""
    with faking() as fake:
        fake.answers["GET /version"] = (404, "nothing here")
        ended = drill(tmp_path, on(fake, fault(SLOW)))
        assert (ended.code, f"{fake.url} is not a Toxiproxy server" in ended.sentences) == (5, True), ended.err
        fake.answers = {"POST /proxies": (500, '{"error":"listen tcp: boom","status":500}')}
        ended = drill(tmp_path, on(fake, fault(SLOW)))
        assert (ended.code, "500 listen tcp: boom" in ended.sentences) == (5, True), ended.err
        assert fake.proxies == {}
