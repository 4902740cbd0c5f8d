"""Curves as a picture, by matplotlib (extra: plot)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from numpy.typing import ArrayLike

from assay.types import BadInput


def draw(
    lines: Mapping[str, tuple[ArrayLike, ArrayLike]], path: str | Path, *, x: str, y: str, steps: bool = False, log: bool = False
) -> None:
    """Write named lines (their x and y) to path; its suffix says the format: svg, png, pdf.

    steps: hold each value until the next x; log: logarithmic x.  Raises BadInput without matplotlib, or for an unknown suffix.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInput("plots need matplotlib: pip install assay[plot].") from error
    figure = Figure(figsize=(6, 4), layout="constrained")
    kinds = FigureCanvasAgg(figure).get_supported_filetypes()
    if Path(path).suffix.lstrip(".").lower() not in kinds:
        raise BadInput(f"{path} must end in one of {', '.join(sorted(kinds))}.")
    axes = figure.add_subplot(xlabel=x, ylabel=y)
    for name, (at, value) in lines.items():
        axes.plot(at, value, drawstyle="steps-post" if steps else "default", label=name)
    if log:
        axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path)
