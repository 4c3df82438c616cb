"""The plots of docs/performance.md, as SVG that can be read on light and on dark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from benchmarks.growth import Growth

GREY = "#808080"
WIDE = 100
"""From the least to the greatest size; beyond it the axes are logarithmic."""
COLOURS = {"chaosproxy": "#2f8fd8", "Toxiproxy": "#e07b39", "bare relay": "#3aa76d"}
STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: small files, and the reader's font
    "svg.hashsalt": "chaosproxy",  # the same figures, the same file
    "font.size": 9,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


def draw(growths: Sequence[Growth], file: Path) -> None:
    """One panel for each; on logarithmic axes a straight line at 45 degrees is linear growth."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 3 * ((len(growths) + 1) // 2)), layout="constrained")
        axes = figure.subplots((len(growths) + 1) // 2, 2, squeeze=False)
        for place, growth in zip(axes.flat, growths, strict=False):
            _panel(place, growth)
        for place in list(axes.flat)[len(growths) :]:
            place.set_visible(False)
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


def _panel(axes: Axes, growth: Growth) -> None:
    for curve in growth.curves:
        colour = COLOURS.get(curve.name, GREY)
        axes.plot(curve.sizes, curve.costs, color=colour, marker="o", markersize=3, linewidth=1.2, label=curve.name)
    ours = growth.curves[0].sizes
    scale: Literal["log", "linear"] = "log" if max(ours) > WIDE * min(ours) else "linear"
    axes.set(xscale=scale, yscale=scale, xlabel=f"{growth.unit}s", ylabel=growth.cost_unit, title=growth.title)
    if scale == "linear":
        axes.set_ylim(bottom=0)
    axes.minorticks_off()
    axes.grid(visible=True, color=GREY, alpha=0.25, linewidth=0.5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(EngFormatter(sep=""))
    axes.legend(frameon=False, labelcolor=GREY)
