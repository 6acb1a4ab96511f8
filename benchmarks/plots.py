"""The plots of the page: what work costs as a store grows, and how fast one is loaded."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator
from result import Findings, Result

TITLES = {
    "log": "log one run",
    "lookup": "look up one thing",
    "search": "first page of a search",
    "lineage": "all that is downstream",
    "pages": "a page, until it is complete",
}

# The same figures give the same bytes.
mpl.rcParams["svg.hashsalt"] = "arangopipe"
mpl.rcParams["svg.fonttype"] = "none"


def draw(found: Findings, stem: Path) -> dict[str, Path]:
    """Write what can be drawn beside the page; return the files by what they show."""
    pictures = {}
    sizes = {line.size for line in found.results if line.size and not line.is_peer}
    if len(sizes) > 1:
        about = "What work costs against the number of runs in the store"
        pictures[about] = _save(_growth(found), stem.with_name(f"{stem.name}-growth.svg"))
    if found.loads and len(found.loads[max(found.loads)]) > 2:
        about = f"Rates while {max(found.loads):,} runs are loaded"
        pictures[about] = _save(_load(found), stem.with_name(f"{stem.name}-load.svg"))
    return pictures


def _save(drawn: Figure, path: Path) -> Path:
    drawn.savefig(path, metadata={"Date": None})
    return path


def _growth(found: Findings) -> Figure:
    by_group: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for line in found.results:
        if line.group in TITLES and line.size and not line.is_peer:
            by_group[line.group][line.name].append(line)
    groups = [group for group in TITLES if group in by_group]
    rows = (len(groups) + 1) // 2
    drawn = Figure(figsize=(10, 3.8 * rows), layout="constrained")
    places = drawn.subplots(rows, 2, squeeze=False).flat
    for group, axes in zip(groups, places, strict=False):
        for number, (name, lines) in enumerate(by_group[group].items()):
            lines.sort(key=lambda line: line.size or 0)
            sizes = [line.size for line in lines]
            short = name.removeprefix("log_run, ").removeprefix("downstream, ")
            style: dict[str, Any] = {"color": f"C{number}", "marker": "o", "markersize": 3.5}
            axes.plot(sizes, [_ms(line.ours, line.unit) for line in lines], label=short, **style)
            style = {**style, "marker": "x", "linestyle": ":"}
            axes.plot(sizes, [_ms(line.theirs, line.unit) for line in lines], **style)
        axes.set(xscale="log", yscale="log", xlabel="runs in the store", ylabel="ms", title=TITLES[group])
        axes.set_xticks(
            sorted({line.size or 0 for lines in by_group[group].values() for line in lines}), minor=False
        )
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(_thousands)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(which="major", alpha=0.3)
        axes.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    for axes in places:
        axes.axis("off")
    kinds = [Line2D([], [], color="0.3", marker="o", label="Arangopipe")]
    kinds.append(Line2D([], [], color="0.3", marker="x", linestyle=":", label="by hand"))
    drawn.legend(handles=kinds, loc="outside upper right", ncols=2, frameon=False)
    return drawn


def _thousands(value: float, _: object) -> str:
    return f"{value:,.0f}"


def _ms(value: float, unit: str) -> float:
    return 1e3 / value if unit == "/s" else value


def _load(found: Findings) -> Figure:
    size = max(found.loads)
    parts = found.loads[size]
    drawn = Figure(figsize=(10, 3.6), layout="constrained")
    rates, memory = drawn.subplots(1, 2)
    runs = [part["runs"] for part in parts]
    for name, side, style in (("Arangopipe", "ours", "o"), ("by hand", "raw", "x")):
        rates.plot(runs, [part[side] for part in parts], style, markersize=3, alpha=0.6, label=name)
    rates.set(xlabel="runs in the store", ylabel="runs/s", title="bulk load", ylim=(0, None))
    rates.legend(frameon=False)
    memory.plot(runs, [part["mib"] for part in parts])
    memory.set(xlabel="runs in the store", ylabel="MiB", title="memory of the process", ylim=(0, None))
    for axes in (rates, memory):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_formatter(_thousands)
    return drawn
