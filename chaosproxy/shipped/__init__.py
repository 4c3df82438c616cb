"""What ships with the product: experiments (``experiments/`` of the source tree, in the wheel beside this file), and
profiles of faults, which lie here.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from chaosproxy.errors import UserError

_IN_WHEEL = Path(__file__).parent / "experiments"
_IN_SOURCE = Path(__file__).parents[2] / "experiments"


def directory() -> Path:
    """Where the shipped experiments lie: in the wheel, or at the top of the source tree."""
    return _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_SOURCE


def profiles() -> dict[str, str]:
    """The text of each shipped profile by its name."""
    folder = Path(__file__).parent / "profiles"
    return {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.yaml"))}


def names() -> list[str]:
    """The shipped experiments, without suffix: ``first-drill``, ``real/fakeai``."""
    root = directory()
    return sorted(path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.yaml"))


KINDS = {
    "streaming-adapter": "a proxy that may or may not get a stream from its upstream",
    "load-balancing-gateway": "weights, cooldown, a cache in Redis, the Responses API",
    "vllm-router": "a router in front of vLLM, mocked and live",
    "openai-server": "an OpenAI-compatible server with metrics",
    "model-availability": "downloads, health, fallback and recovery of models",
}
"""The kinds of system that there are drills for: a folder each."""


@dataclass(frozen=True, slots=True)
class Drill:
    """A shipped drill. ``command`` is how it is run, ``question`` what it answers (as its file says it)."""

    name: str
    kind: str
    question: str
    command: str
    path: Path


def drills(kind: str | None = None) -> list[Drill]:
    """Those of one kind, or all: experiments, files for pytest, and scripts."""
    chosen = [name for name in KINDS if kind in (None, name)]
    files = [path for name in chosen for path in sorted((directory() / name).glob("*"))]
    return [drill for path in files if (drill := _drill(path)) is not None]


def _drill(path: Path) -> Drill | None:
    kind = path.parent.name
    name = f"{kind}/{path.stem if path.suffix == '.yaml' else path.name}"
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    match path.suffix:
        case ".yaml":
            asked = (line.partition(":")[2].strip().strip('"') for line in lines if line.startswith("question:"))
            return Drill(name, kind, next(asked, ""), f"chaosproxy run {name}", path)
        case ".py" if path.name.startswith("test_"):
            return Drill(name, kind, lines[0].strip('"') if lines else "", f"pytest {path}", path)
        case ".sh":
            said = (line.removeprefix("# ") for line in lines if line.startswith("# "))
            return Drill(name, kind, next(said, ""), f"bash {path}", path)
    return None


def find(name: str) -> Path:
    """The file that the user means: a path, or the name of a shipped experiment. Raises UserError."""
    path = Path(name)
    if path.is_dir():
        raise UserError(f"{name} is a directory; give an experiment file")
    if path.is_file():
        return path
    shipped = directory() / f"{name.removesuffix('.yaml')}.yaml"
    if shipped.is_file():
        return shipped
    near = get_close_matches(name.removesuffix(".yaml"), names(), n=1)
    hint = f", did you mean {near[0]}?" if near else f" (shipped: {', '.join(names())})"
    raise UserError(f"{name}: no such file, and no shipped experiment of that name{hint}")
