"""The plots of docs/performance.md, as SVG that can be read on light and on dark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.growth import Growth

GREY = "#808080"
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
    """One panel for each, both axes logarithmic: a straight line at 45 degrees is linear growth."""
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
    axes.set(xscale="log", yscale="log", xlabel=f"{growth.unit}s", ylabel=growth.cost_unit, title=growth.title)
    axes.grid(visible=True, which="major", color=GREY, alpha=0.25, linewidth=0.5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.legend(frameon=False, labelcolor=GREY)
