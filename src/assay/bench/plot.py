"""Curves as a picture, by matplotlib (extra: plot)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from assay.bench.resample import Figure
from assay.types import BadInput


def draw(
    lines: Mapping[str, tuple[ArrayLike, ArrayLike]], path: str | Path, *, x: str, y: str, steps: bool = False, log: bool = False
) -> None:
    """Write named lines (their x and y) to path; its suffix says the format: svg, png, pdf.

    steps: hold each value until the next x; log: logarithmic x.  Raises BadInput without matplotlib, or for an unknown suffix.
    """
    figure, (axes,) = _figure(path, (6, 4))
    axes.set(xlabel=x, ylabel=y)
    for name, (at, value) in lines.items():
        axes.plot(at, value, drawstyle="steps-post" if steps else "default", label=name)
    if log:
        axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path)


def panels(
    curves: Mapping[str, Mapping[str, tuple[Sequence[str], Sequence[Figure]]]], path: str | Path, *, y: str, units: Mapping[str, str]
) -> None:
    """Write panels of named curves with their intervals to path: panel → curve → labels along x, and a figure for each.

    units: what the labels of a panel are.  y is 0 to 1, with a line at .5, chance.  Raises BadInput as `draw` does.
    """
    columns = min(3, len(curves))
    figure, axes = _figure(path, (3.1 * columns, 2.7 * -(-len(curves) // columns)), -(-len(curves) // columns), columns)
    for axis, (name, lines) in zip(axes, curves.items(), strict=False):
        ticks = list(dict.fromkeys(t for at, _ in sorted(lines.values(), key=lambda line: -len(line[0])) for t in at))
        for label, (at, values) in lines.items():
            places = [ticks.index(t) for t in at]
            (line,) = axis.plot(places, [v.value for v in values], marker="o", markersize=3, label=label)
            ends = [v.interval or (v.value, v.value) for v in values]
            axis.fill_between(places, [a for a, _ in ends], [b for _, b in ends], color=line.get_color(), alpha=0.15, linewidth=0)
        axis.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
        axis.set_xticks(range(len(ticks)), ticks, fontsize=8)
        axis.set(title=f"{name} ({units[name]})" if name in units else name, ylim=(0, 1.02), ylabel=y)
        axis.grid(alpha=0.3)
    for axis in axes[len(curves) :]:
        axis.set_visible(False)
    axes[0].legend(frameon=False, fontsize=8, loc="lower left")
    figure.savefig(path)


def _figure(path: str | Path, size: tuple[float, float], rows: int = 1, columns: int = 1) -> tuple[Any, list[Any]]:
    """An empty figure and its axes, drawn without a screen."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise BadInput("plots need matplotlib: pip install assay[plot].") from error
    figure = Canvas(figsize=size, layout="constrained", dpi=120)
    kinds = FigureCanvasAgg(figure).get_supported_filetypes()
    if Path(path).suffix.lstrip(".").lower() not in kinds:
        raise BadInput(f"{path} must end in one of {', '.join(sorted(kinds))}.")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)
