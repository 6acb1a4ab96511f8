"""What is measured: things to refer to, and runs that are the same on every machine.

A run has 15 parameters and 5 metrics and uses one dataset, featureset and model of many. Its values
come from a hash of its number, so run 7 is the same run in every store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

PROJECT = "bench"
METRICS = ("acc", "loss", "f1", "auc", "rmse")
FOLDS = 997
"""Values of the parameter ``fold``: one in so many runs has a given one."""

_EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Shape:
    """A lineage: one dataset, its featuresets, their runs, the models they trained, deployments."""

    label: str
    featuresets: int
    runs: int
    models: int
    deployments: int

    @property
    def nodes(self) -> int:
        """All that is downstream of the dataset, and itself; a run brings its two documents."""
        return 1 + self.featuresets + 3 * self.runs + self.models + self.deployments


SHAPES = (
    Shape("10", 1, 2, 1, 1),
    Shape("1k", 10, 322, 10, 5),
    Shape("10k", 100, 3290, 20, 5),
)


@dataclass(frozen=True)
class Things:
    """What runs refer to, as the side that logs them knows it."""

    datasets: list[Any]
    featuresets: list[Any]
    models: list[Any]


def fraction(number: int, place: int) -> float:
    """Return a number in [0, 1) that depends on nothing else."""
    x = (number * 2654435761 + place * 40503 + 12345) & 0xFFFFFFFF
    x ^= x >> 16
    x = (x * 0x45D9F3B) & 0xFFFFFFFF
    x ^= x >> 16
    return x / 2**32


def params(i: int) -> dict[str, Any]:
    """Return the 15 parameters of a run."""
    found: dict[str, Any] = {
        "depth": int(fraction(i, 0) * 10),
        "lr": round(fraction(i, 1), 6),
        "batch": 2 ** (4 + int(fraction(i, 2) * 5)),
        "opt": ("adam", "sgd", "rmsprop")[int(fraction(i, 3) * 3)],
        "model_type": f"type_{i % 5}",
        "fold": i % FOLDS,
    }
    for k in range(6, 15):
        found[f"p{k}"] = round(fraction(i, k), 6)
    return found


def metrics(i: int) -> dict[str, float]:
    """Return the 5 metrics of a run."""
    return {name: round(fraction(i, 100 + j), 6) for j, name in enumerate(METRICS)}


def run(i: int, things: Things, by_name: bool = False) -> dict[str, Any]:
    """Return the arguments of `log_run` for run number `i`."""
    used = {
        "dataset": things.datasets[i % len(things.datasets)],
        "featureset": things.featuresets[i % len(things.featuresets)],
        "model": things.models[i % len(things.models)],
    }
    start = _EPOCH + timedelta(seconds=i)
    return {
        **({word: thing.name for word, thing in used.items()} if by_name else used),
        "project": PROJECT,
        "name": run_name(i),
        "tag": "bench",
        "params": params(i),
        "metrics": metrics(i),
        "start": start,
        "end": start + timedelta(minutes=1),
    }


def runs(first: int, count: int, things: Things) -> list[dict[str, Any]]:
    """Return the arguments of `log_runs` for some runs."""
    return [run(i, things) for i in range(first, first + count)]


def run_name(i: int) -> str:
    """Return the name of a run."""
    return f"run_{i}"


def chunks(first: int, count: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of the parts of a range."""
    for start in range(first, first + count, size):
        yield start, min(size, first + count - start)
