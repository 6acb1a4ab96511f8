"""What is measured: things to refer to, and runs that are the same on every machine.

A run has 15 parameters and 5 metrics and uses one dataset, featureset and model of many. Its values
come from a hash of its number, so run 7 is the same run in every store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import arangopipe

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
    """What runs refer to, as the API returned it."""

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


def make_seed(path: Path, width: int) -> None:
    """Make a store that holds `width` datasets, featuresets and models, and one run.

    The run makes sure that all names of values are known to the store, as they are to one in use.
    """
    with arangopipe.connect(f"sqlite:///{path}?durability=relaxed", actor="bench") as pipe:
        pipe.admin.register_project(PROJECT)
        for i in range(width):
            dataset = pipe.register_dataset(f"dataset_{i}", location=f"s3://bench/{i}", rows=i)
            columns = {f"c{k}": "float64" for k in range(8)}
            pipe.register_featureset(f"featureset_{i}", dataset=dataset, columns=columns)
            technique = f"technique_{i % 5}"
            pipe.register_model(f"model_{i}", project=PROJECT, technique=technique, task="bench")
        found = things(pipe, width)
        # A warm-up: the imports and caches of a first call are not what is measured.
        for capture in (True, False):
            pipe.log_run(**run(0, found), capture=capture)


def things(pipe: Any, width: int) -> Things:
    """Return what `make_seed` registered."""
    names = range(width)
    return Things(
        [pipe.lookup_dataset(f"dataset_{i}") for i in names],
        [pipe.lookup_featureset(f"featureset_{i}") for i in names],
        [pipe.lookup_model(f"model_{i}", project=PROJECT) for i in names],
    )


def make_lineage(pipe: Any, shape: Shape) -> Any:
    """Record a lineage of a shape and return its dataset."""
    name = f"lineage_{shape.label}"
    dataset = pipe.register_dataset(name, location="s3://bench/lineage")
    own = Things(
        [dataset],
        [
            pipe.register_featureset(f"{name}_{i}", dataset=dataset, columns={"c": "float64"})
            for i in range(shape.featuresets)
        ],
        [
            pipe.register_model(f"{name}_{i}", project=PROJECT, technique="lineage")
            for i in range(shape.models)
        ],
    )
    first = 20_000_000
    pipe.log_runs(runs(first, shape.runs - shape.deployments, own))
    for i in range(shape.deployments):
        served = pipe.log_run(**run(first + shape.runs + i, own), capture=False)
        pipe.admin.register_deployment(f"{name}_{i}", run=served)
    return dataset


def chunks(first: int, count: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of the parts of a range."""
    for start in range(first, first + count, size):
        yield start, min(size, first + count - start)
