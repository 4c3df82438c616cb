"""Two runs side by side, as text and as JSON."""

from __future__ import annotations

import msgspec

from chaosproxy.errors import printable
from chaosproxy.report.comparison import Comparison, Kind


def differences(found: Comparison) -> str:
    """A line for each, regressions first, and a last one that says what they come to."""
    rows = [(change.kind.value, change.what, change.before, "->", change.after) for change in found.changes]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return printable("\n".join([*lines, _sum(found)]))


def differences_json(found: Comparison) -> str:
    """The same for programs."""
    values = msgspec.to_builtins(found) | {"exit_code": found.exit_code}
    return msgspec.json.format(msgspec.json.encode(values), indent=2).decode() + "\n"


def _sum(found: Comparison) -> str:
    runs = f"from {found.before} to {found.after}"
    regressions = sum(change.kind is Kind.REGRESSION for change in found.changes)
    if regressions:
        return f"{regressions} regression{'s' if regressions > 1 else ''} {runs}"
    return f"nothing can be said: {found.unknown}" if found.unknown else f"no regression {runs}"
