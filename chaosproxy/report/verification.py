"""What ``lab verify`` found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from chaosproxy.lab.verify.live import Compared
from chaosproxy.lab.verify.own import Checked
from chaosproxy.lab.verify.shapes import Difference

FLAWS = 5
"""As many mistakes of one kind are told; JSON has all."""


def table(found: Sequence[Checked]) -> str:
    """A line for each API, and below what is wrong."""
    rows: list[tuple[str, ...]] = [("dialect", "plain", "stream", "tool", "error", "types of")]
    rows += [
        (one.api, *map(_cell, one.columns.values()), one.sdk or f"SDK not installed ({one.package})") for one in found
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    wrong = [
        f"{one.api}, {name}: {flaw}"
        for one in found
        for name, flaws in one.columns.items()
        for flaw in _shortened(flaws or [])
    ]
    return "\n".join([*lines, *([""] if wrong else []), *wrong])


def comparison(url: str, found: Sequence[Compared]) -> str:
    """For each API, how the two answers of a live upstream differ from the lab's."""
    return "\n".join(line for one in found for line in _compared(url, one))


def table_values(found: Sequence[Checked]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [{"dialect": one.api, "sdk": one.sdk, "ok": one.ok, **one.columns} for one in found]


def comparison_values(found: Sequence[Compared]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [{"dialect": one.api, "ok": one.ok, **{k: v for k, v in asdict(one).items() if k != "api"}} for one in found]


def _cell(flaws: list[str] | None) -> str:
    return "-" if flaws is None else "wrong" if flaws else "ok"


def _shortened(flaws: list[str]) -> list[str]:
    more = len(flaws) - FLAWS
    return flaws if more <= 0 else [*flaws[:FLAWS], f"... and {more} more"]


def _compared(url: str, one: Compared) -> Iterator[str]:
    yield f"{one.api} at {url}, model {one.model}"
    for name, difference in (("plain", one.plain), ("stream", one.stream)):
        flaws = one.flaws.get(name, [])
        state = "cannot be read" if difference is None else "wrong" if difference.wrong else "ok"
        alike = "" if difference is None else f", {difference.alike} members alike"
        yield f"  {name}: {state}{alike}"
        yield from (f"    {flaw}" for flaw in _shortened(flaws))
        if difference is not None:
            yield from _differences(difference)


def _differences(found: Difference) -> Iterator[str]:
    for clash in found.wrong:
        yield f"    wrong: {clash.path or 'the whole'} is {clash.ours} in the lab's answer, {clash.theirs} in this one"
    for words, members in (("only here", found.more), ("only in the lab's", found.less)):
        yield from (f"    {words}: {path} ({types})" for path, types in members.items())
