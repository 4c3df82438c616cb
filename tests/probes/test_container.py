"""A container's process is found by asking its engine, which here is a script that answers as docker does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chaosproxy.experiment.probe import Scene, Seen
from chaosproxy.experiment.probe_kinds import ProcessProbe
from chaosproxy.probes import process
from chaosproxy.probes.process import begin

ID = "3f4e" * 16
PROBE = ProcessProbe.model_validate(
    {"id": "p", "process": {"container": "gateway"}, "expect": {"memory_mb": "< 100000"}}
)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder with programs; who writes ``docker`` there has installed it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def answers(folder: Path, inspect: str, name: str = "docker") -> None:
    """Install an engine; ``inspect`` are the lines of a shell that answer `docker inspect`."""
    script = folder / name
    script.write_text(f'#!/bin/sh\nif [ "$1 $4" = "inspect gateway" ]; then {inspect}; fi\n', encoding="utf-8")
    script.chmod(0o755)


def proc_of(proc: Path) -> Path:
    """A /proc with nothing but this process, in a container."""
    for pid in ("self", str(os.getpid())):
        (proc / pid).mkdir(parents=True)
        (proc / pid / "stat").write_text(Path("/proc/self/stat").read_text("utf-8"), encoding="utf-8")
        (proc / pid / "cgroup").write_text(f"0::/system.slice/docker-{ID}.scope\n", encoding="utf-8")
    return proc


async def seen() -> Seen:
    """One look."""
    return await (await begin(PROBE, Scene()))()


@pytest.mark.parametrize("name", ["docker", "podman"])
async def test_it_is_looked_at(engine: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it is this very process, whose control group says that it is the container's."""
    answers(engine, f"echo {os.getpid()} {ID}", name)
    monkeypatch.setattr(process, "PROC", proc_of(engine / "proc"))

    found = await seen()

    assert found.outcome == "ok"
    assert found.value is not None
    assert 1 < found.value < 100_000


@pytest.mark.parametrize(
    ("inspect", "expected"),
    [
        (f"echo 0 {ID}", Seen("failed", None, "there is no such process")),
        ("exit 1", Seen("failed", None, "there is no such process")),
        (f"echo {os.getpid()} {ID}", Seen("unknown", None, "the container's processes cannot be seen from here")),
        ("echo surprise", Seen("unknown", None, "docker inspect answers with other words than expected")),
    ],
    ids=["stopped", "gone", "on another machine", "not understood"],
)
async def test_one_that_is_gone_is_a_failure_and_one_that_is_elsewhere_is_unknown(
    engine: Path, inspect: str, expected: Seen
) -> None:
    """A number that belongs to somebody else here is never taken for the container's."""
    answers(engine, inspect)
    assert await seen() == expected


async def test_without_an_engine_nothing_is_known(engine: Path) -> None:
    """Neither when none is installed, nor when it does not answer."""
    assert await seen() == Seen(
        "unknown", None, "neither docker nor podman is installed, so that nobody knows containers"
    )
    (engine / "docker").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (engine / "docker").chmod(0o755)
    assert await seen() == Seen("unknown", None, "docker is installed, but its engine does not answer")
