"""The points of metrics for charts: thinned so that no spike is lost, of one run or of several."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from arangopipe.model.entities import Run
from arangopipe.model.expressions import Compare, Path, path_text
from arangopipe.model.graph import Point
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.things import brief

POINTS = 1_000
"""A curve has at most so many points."""

FORESEEN = 24
"""For so many curves a page keeps room before they come."""

RUNS = 50
"""So many runs are drawn over each other."""


def series(ask: Ask, run: str, names: Sequence[str] = ()) -> dict[str, Any]:
    """Return each metric of a run that has points: (step, microseconds since 1970, value) of the thinned."""
    found = ask.store.points(run, as_of=ask.moment)
    return {
        name: {"count": len(points), "points": [_plain(point) for point in thinned(points)]}
        for name, points in found.items()
        if points and (not names or name in names)
    }


def names_of(ask: Ask, run: Run, metrics: Iterable[str]) -> list[str]:
    """Return which of the first metrics of a run have points, by name: only those have a last one."""
    paths = {path_text(("metrics", name, "last")): name for name in sorted(metrics)[:FORESEEN]}
    if not paths:
        return []
    where = Compare(Path(("key",)), "=", run.key)
    for columns in ask.store.columns("run", list(paths), where, ask.moment):
        return [name for path, name in paths.items() if columns[path] != [None]]
    return []


def overlaid(ask: Ask, runs: Sequence[str], names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the curves of several runs; those that are not there are left out."""
    nodes = ask.store.get(list(dict.fromkeys(runs))[:RUNS], ask.moment)
    return [{**brief(node), "series": series(ask, node.id, names)} for node in nodes if node is not None]


def thinned(points: Sequence[Point], most: int = POINTS) -> Iterator[Point]:
    """Yield the first, the last, and of each stretch between the least and the greatest."""
    if len(points) <= most:
        yield from points
        return
    stretches = (most - 2) // 2
    yield points[0]
    for stretch in range(stretches):
        first = 1 + stretch * (len(points) - 2) // stretches
        end = 1 + (stretch + 1) * (len(points) - 2) // stretches
        finite = [place for place in range(first, end) if not isinstance(points[place].value, str)]
        if not finite:
            yield points[first]
            continue
        least = min(finite, key=lambda place: points[place].value)
        greatest = max(finite, key=lambda place: points[place].value)
        for place in sorted({least, greatest}):
            yield points[place]
    yield points[-1]


def _plain(point: Point) -> list[float | None]:
    value = point.value
    finite = not isinstance(value, str) and math.isfinite(value)
    return [point.step, point.time, float(value) if finite else None]
