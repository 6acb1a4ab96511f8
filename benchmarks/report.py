"""What a run found, and how it is shown."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import arangopipe

MAX_GROWTH = {"lookup": 1.5}
ORDER = ("log", "bulk", "lookup", "search", "lineage", "start")


@dataclass
class Result:
    """One line of the table: medians of the rounds, and the median of their ratios.

    `unit` is "/s" for rates and "ms" for times; `rounds` holds (ours, raw).
    """

    group: str
    name: str
    size: int | None
    unit: str
    rounds: list[tuple[float, float]]
    target: float | None
    note: str = ""
    ours: float = field(init=False)
    raw: float = field(init=False)
    ratio: float = field(init=False)
    reached: bool | None = field(init=False)

    def __post_init__(self) -> None:
        self.ours = statistics.median(ours for ours, _ in self.rounds)
        self.raw = statistics.median(raw for _, raw in self.rounds)
        self.ratio = statistics.median(ours / raw for ours, raw in self.rounds)
        self.reached = None
        if self.target is not None:
            is_rate = self.unit == "/s"
            self.reached = self.ratio >= self.target if is_rate else self.ratio <= self.target


def machine(folder: Path) -> dict[str, Any]:
    """Return what the figures depend on."""
    path = folder / "fsync"
    spent = []
    with path.open("wb") as file:
        for _ in range(50):
            file.write(bytes(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            spent.append(time.perf_counter() - start)
    path.unlink()
    info = Path("/proc/cpuinfo")
    lines: Iterable[str] = info.read_text().splitlines() if info.exists() else ()
    cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    return {
        "cpu": cpu or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "fsync_ms": round(statistics.median(spent) * 1e3, 3),
        "arangopipe": arangopipe.__version__,
    }


def growth(results: Sequence[Result]) -> dict[tuple[str, str], tuple[int, int, float, float]]:
    """Return, by group and name, how much more work costs on the largest store than on the smallest.

    Each is (smallest, largest, ours, raw). Only where the stores took turns in each round.
    """
    by_name: dict[tuple[str, str], list[Result]] = {}
    for found in results:
        if found.size and found.group != "bulk":
            by_name.setdefault((found.group, found.name), []).append(found)
    grown = {}
    for key, found in by_name.items():
        small, large = found[0], found[-1]
        if small is large:
            continue
        pairs = [
            (a / b, c / d) if small.unit == "/s" else (b / a, d / c)
            for (a, c), (b, d) in zip(small.rounds, large.rounds, strict=True)
        ]
        medians = [statistics.median(pair[side] for pair in pairs) for side in (0, 1)]
        grown[key] = (small.size or 0, large.size or 0, medians[0], medians[1])
    return grown


def show(results: Sequence[Result], notes: Iterable[str], console: Console) -> None:
    """Print the tables."""
    names = list(dict.fromkeys(found.name for found in results))
    lines = sorted(
        results, key=lambda line: (ORDER.index(line.group), names.index(line.name), line.size or 0)
    )
    table = _table(
        "Arangopipe against hand-written SQL on the same tables",
        ("workload", "runs in store", "ours", "raw", "ours / raw", "target", "", "best raw form"),
    )
    for before, line in zip([None, *lines], lines, strict=False):
        first = before is None or before.name != line.name
        if first:
            table.add_section()
        mark = {None: "", True: "[green]✓[/]", False: "[red]✗[/]"}[line.reached]
        sign = ">=" if line.unit == "/s" else "<="
        table.add_row(
            line.name if first else "",
            "" if line.size is None else f"{line.size:,}",
            _figure(line.ours, line.unit),
            _figure(line.raw, line.unit),
            f"{line.ratio:.2f}",
            "" if line.target is None else f"{sign} {line.target:g}",
            mark,
            line.note,
        )
    console.print(table)
    if grown := growth(lines):
        console.print(_growth_table(grown))
    console.print("Rates (/s): more is better. Times (ms): less is better. See benchmarks/README.md.")
    for note in notes:
        console.print(note, highlight=False)


def _growth_table(grown: dict[tuple[str, str], tuple[int, int, float, float]]) -> Table:
    small, large, *_ = next(iter(grown.values()))
    table = _table(
        f"What it costs at {large:,} runs, as a multiple of {small:,}",
        ("workload", "ours", "raw", "target", ""),
    )
    for (group, name), (_, _, ours, raw) in grown.items():
        bound = MAX_GROWTH.get(group)
        mark = "" if bound is None else "[green]✓[/]" if ours <= bound else "[red]✗[/]"
        table.add_row(name, f"{ours:.2f}", f"{raw:.2f}", "" if bound is None else f"<= {bound:g}", mark)
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title)
    for name in columns:
        left = name in ("workload", "", "best raw form")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    return table


def _figure(value: float, unit: str) -> str:
    if unit == "/s":
        return f"{value:,.0f}/s"
    return f"{value:.3f} ms" if value < 10 else f"{value:,.1f} ms"
