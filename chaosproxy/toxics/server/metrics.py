"""Counters in Prometheus' text format."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

RECEIVED = "toxiproxy_proxy_received_bytes_total"
SENT = "toxiproxy_proxy_sent_bytes_total"
HITS = "toxiproxy_toxic_hits_total"
"""Ours: how often a toxic met a connection."""

_HELP = {
    RECEIVED: "",
    SENT: "",
    HITS: "Connections that a toxic has acted on.",
}
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Counters:
    """Counters by their labels; a series exists once something was counted."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[tuple[tuple[str, str], ...]]] = {name: Counter() for name in _HELP}

    def count(self, name: str, amount: int = 1, /, **labels: str) -> None:
        """Add to one series, also 0."""
        self._counts[name][tuple(sorted(labels.items()))] += amount

    def text(self) -> str:
        """All series, names and labels in alphabetical order."""
        return "".join(f"{line}\n" for name in sorted(self._counts) for line in self._lines(name))

    def _lines(self, name: str) -> Iterator[str]:
        series = self._counts[name]
        if not series:
            return
        yield f"# HELP {name} {_HELP[name]}"
        yield f"# TYPE {name} counter"
        for labels, value in sorted(series.items()):
            inside = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels)
            yield f"{name}{{{inside}}} {_number(value)}"


def runtime_text() -> str:
    """Numbers of the process, under the names that Prometheus' libraries have for any process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    gauges: dict[str, float] = {"process_cpu_seconds_total": usage.ru_utime + usage.ru_stime}
    proc = Path("/proc/self")
    with suppress(OSError):  # only Linux has it
        gauges["process_open_fds"] = sum(1 for _ in (proc / "fd").iterdir())
        pages = int((proc / "statm").read_text(encoding="ascii").split()[1])
        gauges["process_resident_memory_bytes"] = pages * resource.getpagesize()
    lines = []
    for name, value in gauges.items():
        lines += [f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}", f"{name} {value:g}"]
    return "".join(f"{line}\n" for line in lines)


def _number(value: int) -> str:
    """As Prometheus' own library writes numbers: with an exponent from a million on."""
    digits = str(value).rstrip("0")
    if value < 1_000_000:
        return str(value)
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{mantissa}e+{len(str(value)) - 1:02}"
