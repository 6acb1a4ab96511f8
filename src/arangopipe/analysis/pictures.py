"""Pictures of answers, as SVG drawn by matplotlib without a display."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from arangopipe.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, GOOD = "#1f4e79", "#9db7d1", "#2a7f62"
MOST_POINTS = 2_000


def svg(draw: Callable[[Axes], bool]) -> str:
    """Return what a function draws as SVG text, the same for the same answer; empty if it draws nothing."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("matplotlib", "analysis") from error
    style: Any = {"svg.hashsalt": "arangopipe", "svg.fonttype": "none", "font.size": 9.0}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.4, 3.2), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        if not draw(axes):
            return ""
        buffer = io.StringIO()
        with warnings.catch_warnings():
            # The browser has the letters that matplotlib's own font lacks.
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]


def strips(
    axes: Axes,
    groups: Sequence[tuple[str, Sequence[float]]],
    total: tuple[str, float, tuple[float, float] | None] | None,
    label: str,
) -> None:
    """Draw the values of each group as dots with their mean, and below a mean with its interval."""
    names = [name for name, _ in groups] + ([total[0]] if total else [])
    for place, (_, values) in enumerate(groups):
        shown = values[:: max(1, len(values) // MOST_POINTS)]
        axes.plot(shown, [place] * len(shown), "o", color=SOFT, alpha=0.7, markersize=4)
        axes.plot([sum(values) / len(values)], [place], "|", color=INK, markersize=14, markeredgewidth=2)
    if total is not None:
        _, mean, interval = total
        if interval is not None:
            axes.plot(interval, [len(groups)] * 2, "-", color=GOOD, linewidth=3)
        axes.plot([mean], [len(groups)], "D", color=GOOD, markersize=6)
    axes.axvline(0, color="#888888", linewidth=0.8)
    _label(axes, names, label)


def bars(axes: Axes, rows: Sequence[tuple[str, float]], label: str) -> None:
    """Draw a horizontal bar for each row, the first at the top."""
    axes.barh(range(len(rows)), [value for _, value in rows], color=SOFT)
    _label(axes, [name for name, _ in rows], label)


def ranges(axes: Axes, rows: Sequence[tuple[str, float, float, float]], label: str) -> None:
    """Draw (name, low, middle, high) of each row as a line with a mark at its middle."""
    for place, (_, low, middle, high) in enumerate(rows):
        axes.plot([low, high], [place] * 2, "-", color=SOFT, linewidth=3)
        axes.plot([middle], [place], "|", color=INK, markersize=12, markeredgewidth=2)
    _label(axes, [row[0] for row in rows], label)


def _label(axes: Axes, names: Sequence[str], label: str) -> None:
    """Name the rows, the first at the top, and the axis; names are text, never formulas."""
    clean = [re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", name) for name in (*names, label)]
    axes.set_yticks(range(len(names)), clean[:-1], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel(clean[-1], parse_math=False)
