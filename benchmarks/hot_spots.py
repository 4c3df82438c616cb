"""Where the proxy's time goes under load: ``python -m benchmarks.hot_spots [--streams N] [--fault ...] [--json]``."""

from __future__ import annotations

import argparse
import pstats
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import chaosproxy
from benchmarks.load import Load, Sample, apply_load, load_words
from benchmarks.processes import BenchmarkFailed, Cores, Process, allow_files, backend, build, pinned, running
from benchmarks.ways import ours, port_of, serve_words
from benchmarks.words import table

PACKAGE = Path(chaosproxy.__file__).parent
SECONDS = 10.0
"""Long enough that the start of the process weighs little."""
SHOWN = 30


@dataclass(frozen=True, slots=True)
class Spot:
    """A function: where it lives, its own time and its calls, both per event (or per request)."""

    room: str
    name: str
    own_us: float
    calls: float


def profile(load: Load, faults: tuple[str, ...]) -> tuple[list[Spot], Sample]:
    """Run the proxy under cProfile; its functions, the dearest first. Raises BenchmarkFailed."""
    cores = Cores.choose()
    with tempfile.TemporaryDirectory(prefix="chaosproxy-profile-") as name:
        folder = Path(name)
        program, file = build(folder), folder / "profile"
        with backend(program, cores.load) as port:
            serve = serve_words(ours("profiled", *faults), folder, port)
            python = [sys.executable, "-m", "cProfile", "-o", file, "-m", "chaosproxy"]
            with running([*pinned(cores.proxy), *python, *serve]) as (process, ready):
                through = Process(process.pid, port_of(ready["listeners"]["main"]["url"]))
                words = load_words(program, cores.load, load, port=through.port, seconds=SECONDS)
                sample = apply_load(words, seconds=SECONDS, spread_s=load.spread_s, through=through)
        if not file.exists():
            raise BenchmarkFailed("the proxy left no profile")
        seen = pstats.Stats(str(file)).stats  # type: ignore[attr-defined]
    per = (sample.events if load.streamed else sample.asked) * (1 + load.spread_s / SECONDS)
    return spots(seen, per), sample


def spots(seen: Mapping[tuple[str, int, str], tuple[int, int, float, float, object]], per: float) -> list[Spot]:
    """The functions of a profile, the dearest first; ``per`` is how many events there were while it was taken."""
    found = [
        Spot(room(file), _name(file, line, function), own_s * 1e6 / per, calls / per)
        for (file, line, function), (_, calls, own_s, _, _) in seen.items()
    ]
    return sorted(found, key=lambda spot: -spot.own_us)


def room(file: str) -> str:
    """A room of ours, or what else a function belongs to. What C code does is its caller's own time."""
    path = Path(file)
    if path.parts[-2:] == ("asyncio", "runners.py"):
        return "event loop"
    if path.is_relative_to(PACKAGE):
        return path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1]
    return "built-in" if file == "~" else "standard library"


def _name(file: str, line: int, function: str) -> str:
    return function if file == "~" else f"{Path(file).name}:{line} {function}"


def report(found: list[Spot]) -> Iterator[str]:
    """Rooms, then functions."""
    rooms: dict[str, float] = defaultdict(float)
    for spot in found:
        rooms[spot.room] += spot.own_us
    dearest = sorted(rooms.items(), key=lambda item: -item[1])
    yield from table(("room", "own time, us"), [(name, f"{own_us:.2f}") for name, own_us in dearest if own_us >= 0.01])
    yield ""
    rows = [(spot.room, spot.name, f"{spot.own_us:.2f}", f"{spot.calls:.2f}") for spot in found[:SHOWN]]
    yield from table(("room", "function", "own time, us", "calls"), rows)


def main() -> int:
    """Profile and print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot_spots", description="Where the time goes.")
    parser.add_argument("--streams", type=int, default=200, help="streams at 50 events/s each")
    parser.add_argument("--fault", action="append", default=[], help="as `chaosproxy serve` takes it; repeat it")
    parser.add_argument("--json", action="store_true", help="plain JSON requests instead of streams")
    given = parser.parse_args()
    allow_files()
    load = Load(32, streamed=False) if given.json else Load(given.streams)
    try:
        found, sample = profile(load, tuple(given.fault))
    except BenchmarkFailed as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(report(found)))
    unit = "request" if given.json else "event"
    print(f"\nPer {unit}, of {sample.asked if given.json else sample.events:,}. The profiler makes every call dearer:")
    print("shares and calls are to be trusted, times are not. The event loop has the system calls, and the waiting.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
