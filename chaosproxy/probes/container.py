"""Finds the first process of a container, by asking the engine that runs it."""

from __future__ import annotations

from collections.abc import Sequence

from chaosproxy.probes.command import CannotRun, run


class CannotLook(Exception):
    """The text says why nothing can be known."""


ENGINES = ("docker", "podman")
"""Programs that are asked, the first that is installed."""


async def first_process(container: str) -> tuple[int, str] | None:
    """Its number on the engine's machine and the container's full id; None when no such container runs.

    Raises CannotLook when no engine answers.
    """
    for engine in ENGINES:
        try:
            status, output = await run([engine, "inspect", "--format", "{{.State.Pid}} {{.Id}}", container])
        except CannotRun:
            continue  # it is not installed
        if status == 0:
            return _read(output.decode("utf-8", "replace").split(), engine)
        await _must_answer(engine)  # then it was right: there is none
        return None
    raise CannotLook(f"neither {' nor '.join(ENGINES)} is installed, so that nobody knows containers")


def _read(words: Sequence[str], engine: str) -> tuple[int, str] | None:
    """A container that does not run has the number 0."""
    if len(words) != 2 or not words[0].isdecimal():
        raise CannotLook(f"{engine} inspect answers with other words than expected")
    return (int(words[0]), words[1]) if int(words[0]) else None


async def _must_answer(engine: str) -> None:
    status, _ = await run([engine, "info"])
    if status != 0:
        raise CannotLook(f"{engine} is installed, but its engine does not answer")
