"""What ships with the product: experiments (``experiments/`` of the source tree, in the wheel beside this file), and
profiles of faults, which lie here.
"""

from __future__ import annotations

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
