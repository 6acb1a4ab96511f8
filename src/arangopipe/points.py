"""Values of metrics on their way from a training loop to a store."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, NoReturn

from arangopipe.errors import Conflict
from arangopipe.keeper import warn
from arangopipe.model.graph import Point, Points
from arangopipe.record import named


class Logged(NamedTuple):
    """A value of a metric; `step` None: no step was given. `time` in nanoseconds since 1970."""

    name: str
    value: float
    step: int | None
    time: int


Item = tuple[str, float, int | None, int]
"""What a buffer holds: a `Logged` before it is looked at, since making one costs as much again."""

Buffer = deque[Item]


class Ended(Buffer):
    """The buffer of a run that has ended."""

    def append(self, item: Item) -> NoReturn:
        """Raise `Conflict`."""
        raise Conflict(f"{item[0]!r} was logged to a run that has ended: start another run")


class Elsewhere(Buffer):
    """The buffer of a run in a forked child: the run is its parent's."""

    _warned = False

    def append(self, item: Item) -> None:
        """Keep nothing."""
        self.warn()

    def warn(self) -> None:
        """Say so, once."""
        if not self._warned:
            self._warned = True
            warn("a run is recorded by the process that started it: what this one logs is not kept")


class Series:
    """The last value of each metric of a run: a value without step is its only one, until the next.

    `last` holds, by name, the value of the latest step and, of that, the latest.
    """

    def __init__(self) -> None:
        self.last: dict[str, Logged] = {}

    def drain(self, buffer: Buffer) -> tuple[dict[str, float], dict[str, list[Point]]]:
        """Take all out of a buffer; return the values of metrics that have just one, and all points."""
        single: dict[str, float] = {}
        points: dict[str, list[Point]] = {}
        # Other threads may append meanwhile; popping from the left leaves theirs alone.
        for _ in range(len(buffer)):
            logged = Logged(*buffer.popleft())
            known = self.last.get(logged.name)
            if known is None and logged.step is None:
                self.last[logged.name] = logged
                single[logged.name] = logged.value
                continue
            series = points.setdefault(logged.name, [])
            if known is not None and known.step is None:
                known = known._replace(step=0)
                series.append(_point(known))
            if logged.step is None and known is not None:
                logged = logged._replace(step=(known.step or 0) + 1)
            series.append(_point(logged))
            self.last[logged.name] = _later(known, logged)
        return single, points


def as_batch(run: str, points: dict[str, list[Point]]) -> tuple[Points, ...]:
    """Return the points of a run as a batch holds them."""
    return tuple(Points(run, name, tuple(series)) for name, series in points.items())


def _later(known: Logged | None, logged: Logged) -> Logged:
    if known is None:
        return logged
    return max(known, logged, key=lambda value: (value.step or 0, value.time))


def _point(logged: Logged) -> Point:
    return Point(logged.step or 0, logged.time // 1_000, named(float(logged.value)))
