"""What a run finds: figures of two sides that took turns, and what they are held to."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import arangopipe

GROUPS = {
    "log": "P1",
    "bulk": "P2",
    "lookup": "P3",
    "lineage": "P4",
    "search": "P5",
    "writers": "P7",
    "http": "P8",
    "start": "P9",
    "pages": "P10",
    "training": "P11",
    "stores": "P13",
}
"""What can be measured, and the number of its target."""

MAX_GROWTH = {"lookup": 1.5, "pages": 1.5}

COUNTING = "counting: "
"""Work whose name begins so counts what grows with the store; so its growth is told, and not bound."""

LIMIT = "raw"
"""The other side of most results: hand-written SQL, or another limit that `Result.note` names."""


@dataclass
class Result:
    """One line of a table: medians of the rounds, and the median of their ratios.

    `unit` is "/s" for rates, and "ms", "µs" or "MiB" for what should be little; `rounds` holds (ours,
    theirs). Against the limit the ratio is ours / theirs in that unit; against a peer it says how many times
    as fast, or as light, ours is.
    """

    group: str
    name: str
    size: int | None
    unit: str
    rounds: list[tuple[float, float]]
    target: float | None
    note: str = ""
    against: str = LIMIT
    ours: float = field(init=False)
    theirs: float = field(init=False)
    ratio: float = field(init=False)
    reached: bool | None = field(init=False)

    def __post_init__(self) -> None:
        self.ours = statistics.median(ours for ours, _ in self.rounds)
        self.theirs = statistics.median(theirs for _, theirs in self.rounds)
        turned = self.is_peer and self.unit != "/s"
        self.ratio = statistics.median(b / a if turned else a / b for a, b in self.rounds)
        self.reached = None
        if self.target is not None:
            self.reached = self.ratio >= self.target if self.more_is_better else self.ratio <= self.target

    @property
    def is_peer(self) -> bool:
        """Whether the other side is a peer, not the limit."""
        return self.against != LIMIT

    @property
    def more_is_better(self) -> bool:
        """Whether the ratio should be large."""
        return self.is_peer or self.unit == "/s"

    @property
    def asked(self) -> str:
        """The target as it is printed."""
        if self.target is None:
            return ""
        return f"{'>=' if self.more_is_better else '<='} {self.target:g}"

    @property
    def figures(self) -> tuple[str, ...]:
        """Size, both sides, ratio and target as they are printed."""
        size = "" if self.size is None else f"{self.size:,}"
        sides = figure(self.ours, self.unit), figure(self.theirs, self.unit)
        return size, *sides, ratio(self.ratio), self.asked

    @property
    def about(self) -> str:
        """The peer, and what is to be said of this line."""
        return ": ".join(filter(None, (self.against if self.is_peer else "", self.note)))


@dataclass(frozen=True)
class Training:
    """A training that logged each step, the condition its store was in, and what became of it."""

    side: str
    store: str
    steps: int
    mean_us: float
    worst_ms: float
    end_ms: float
    points: int
    """Recorded when all was over, of `steps`."""
    raised: str


@dataclass(frozen=True)
class Growth:
    """How much more work costs on the largest store than on the smallest."""

    group: str
    name: str
    small: int
    large: int
    ours: float
    theirs: float

    @property
    def reached(self) -> bool | None:
        """Whether it is at most what is asked for."""
        return None if self.bound is None else self.ours <= self.bound

    @property
    def asked(self) -> str:
        """The target as it is printed."""
        return "" if self.bound is None else f"<= {self.bound:g}"

    @property
    def bound(self) -> float | None:
        """The most that is asked for, if anything is."""
        return None if self.name.startswith(COUNTING) else MAX_GROWTH.get(self.group)


@dataclass
class Findings:
    """All that a run has found."""

    machine: dict[str, Any] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    trainings: list[Training] = field(default_factory=list)
    loads: dict[int, list[dict[str, float]]] = field(default_factory=dict)
    """By size, the parts of a load."""
    bytes: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By size, the bytes of a run and of each table."""
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """Return it as text, with every round."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Findings:
        """Read what `to_json` wrote."""
        found = json.loads(text)
        given = [name.name for name in fields(Result) if name.init]
        found["results"] = [Result(**{name: line[name] for name in given}) for line in found["results"]]
        found["trainings"] = [Training(**line) for line in found["trainings"]]
        for name in ("loads", "bytes"):
            found[name] = {int(size): value for size, value in found[name].items()}
        return cls(**found)


def growth(results: Sequence[Result]) -> list[Growth]:
    """Return the growth of all work that took turns on stores of several sizes."""
    by_name: dict[tuple[str, str], list[Result]] = {}
    for found in results:
        if found.size and found.group != "bulk" and not found.is_peer:
            by_name.setdefault((found.group, found.name), []).append(found)
    grown = []
    for (group, name), found in by_name.items():
        small, large = (pick(found, key=lambda result: result.size or 0) for pick in (min, max))
        if small is large:
            continue
        pairs = [
            (a / b, c / d) if small.unit == "/s" else (b / a, d / c)
            for (a, c), (b, d) in zip(small.rounds, large.rounds, strict=True)
        ]
        medians = [statistics.median(pair[side] for pair in pairs) for side in (0, 1)]
        grown.append(Growth(group, name, small.size or 0, large.size or 0, *medians))
    return grown


def ordered(results: Iterable[Result]) -> list[Result]:
    """Return results by target, workload, peer and size."""
    found = list(results)
    names = list(dict.fromkeys(line.name for line in found))
    order = list(GROUPS)
    return sorted(
        found,
        key=lambda line: (order.index(line.group), names.index(line.name), line.against, line.size or 0),
    )


def figure(value: float, unit: str) -> str:
    """Return a figure as it is printed."""
    if unit == "/s":
        return f"{value:,.0f}/s"
    return f"{value:.3f} {unit}" if value < 10 else f"{value:,.1f} {unit}"


def ratio(value: float) -> str:
    """Return a ratio as it is printed."""
    if value < 0.1:
        return f"{value:.2g}"
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


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
