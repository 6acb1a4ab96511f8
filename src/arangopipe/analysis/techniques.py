"""Which techniques were tried for a task, and how they did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from arangopipe.analysis.answers import Answer, number, several
from arangopipe.analysis.codes import Ints, grouped
from arangopipe.analysis.runs import Measured, Runs
from arangopipe.model.directions import Better

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Used:
    """One technique: its runs, those of them that count, and the metric over these."""

    technique: str
    runs: int
    counted: int
    best: float | None
    median: float | None
    worst: float | None
    spread: float | None
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class Techniques(Answer):
    """The techniques of a task, the best median first; `spread` is the standard deviation over runs."""

    task: str
    metric: str
    better: Better
    items: tuple[Used, ...]

    @property
    def sentence(self) -> str:
        """How many techniques there are, and which does best."""
        total = sum(item.runs for item in self.items)
        said = f"{several(len(self.items), 'technique')} in {several(total, 'run')} of {self.task}"
        best = self.items[0]
        if best.median is None:
            return f"{said}."
        top = min if self.better == "lower" else max
        value = top(item.best for item in self.items if item.best is not None)
        return (
            f"{said}: {best.technique} has the best median {self.metric} ({number(best.median)}); "
            f"the best single run has {number(value)}."
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each technique."""
        return [asdict(item) for item in self.items]

    def figure(self, axes: Axes) -> bool:
        """Draw best, median and worst of each technique."""
        from arangopipe.analysis.pictures import ranges

        rows = [
            (item.technique, item.best, item.median, item.worst)
            for item in self.items
            if item.best is not None and item.median is not None and item.worst is not None
        ]
        ranges(axes, rows, f"{self.metric}, best to worst ({self.better} is better)")
        return bool(rows)


def techniques(runs: Runs, measured: Measured, better: Better) -> Techniques:
    """Return the techniques of all runs of a task, with the metric where it was measured."""
    codes, names = runs.techniques
    known = {name: place for place, name in enumerate(names)}
    own, own_names = measured.runs.techniques
    values: dict[int, Any] = {
        known[name]: measured.values[rows]
        for name, rows in zip(own_names, grouped(own, len(own_names)), strict=True)
    }
    items = [
        _used(names[code], runs, rows, values.get(code, np.empty(0)), better)
        for code, rows in enumerate(grouped(codes, len(names)))
    ]
    sign = 1 if better == "lower" else -1
    items.sort(key=lambda item: (item.median is None, sign * (item.median or 0.0), item.technique))
    return Techniques(
        task=measured.task, metric=measured.metric, better=better, items=tuple(items), notes=measured.notes
    )


def _used(name: str, runs: Runs, rows: Ints, values: Any, better: Better) -> Used:
    first, last = period(runs, rows)
    if not len(values):
        return Used(name, len(rows), 0, None, None, None, None, first, last)
    low, high = float(values.min()), float(values.max())
    best, worst = (low, high) if better == "lower" else (high, low)
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    return Used(name, len(rows), len(values), best, float(np.median(values)), worst, spread, first, last)


def period(runs: Runs, rows: Ints) -> tuple[datetime | None, datetime | None]:
    """Return when the first and the last of some runs started, as far as that is known."""
    starts = runs.starts[rows]
    known = starts[~np.isnat(starts)]
    if not len(known):
        return None, None
    first, last = (moment.item().replace(tzinfo=timezone.utc) for moment in (known.min(), known.max()))
    return first, last
