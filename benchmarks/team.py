"""A store as a team leaves it after years, for the pages: many projects, few of which have most of the runs.

What runs use is skewed in the same way: of a million runs a hundred thousand use one dataset. Some runs
failed, some went silent. Deployments were live one after another and reported; and between changes of
thousands of runs stand changes of one thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import recording
import workload
from workload import fraction

import arangopipe

MODELS = 10
"""Models of each project."""

PART = 1_000
TAGS = 5
"""Of deployments; one of each is live."""

SINGLE = 20
"""Runs that are logged one by one at the end."""

CURVE = 100
"""Points of each curve of a run that has any."""

_EPOCH = datetime(2025, 1, 1, tzinfo=timezone.utc)
_BETWEEN = timedelta(seconds=30)
_DAY = timedelta(days=1)
_YEAR = 365 * _DAY


def load(path: Path, size: int, width: int) -> Iterator[int]:
    """Log the runs of a store, going on where it was stopped; yield how many there are.

    It has `width` datasets, featuresets and models, and a tenth as many projects.
    """
    with arangopipe.connect(f"sqlite:///{path}?durability=relaxed", actor="bench") as pipe:
        things = _register(pipe, width)
        done = pipe.count("run")
        for first, count in workload.chunks(done, size - done, PART):
            pipe.log_runs([_run(i, things) for i in range(first, first + count)], batch_size=count)
            yield first + count


def live(path: Path, size: int, width: int, shape: workload.Shape) -> Any:
    """Record what is not bulk: deployments, single changes, and a lineage, whose dataset is returned."""
    with arangopipe.connect(f"sqlite:///{path}?durability=relaxed", actor="bench") as pipe:
        _deploy(pipe, width // MODELS)
        dataset = recording.make_lineage(pipe, shape, _project(0))
        _log_singly(pipe, _register(pipe, width), size)
    return dataset


def _project(number: int) -> str:
    return f"project_{number:02}"


def _register(pipe: Any, width: int) -> workload.Things:
    """Register what runs refer to, or return it if it is there."""
    for i in range(width // MODELS):
        pipe.admin.register_project(_project(i), description=f"Body of work {i}", exist_ok=True)
    datasets = [
        pipe.register_dataset(f"dataset_{i}", location=f"s3://bench/{i}", rows=i, exist_ok=True)
        for i in range(width)
    ]
    featuresets = [
        pipe.register_featureset(
            f"featureset_{i}",
            dataset=dataset,
            columns={f"c{k}": "float64" for k in range(8)},
            exist_ok=True,
        )
        for i, dataset in enumerate(datasets)
    ]
    models = [
        pipe.register_model(
            f"model_{i % MODELS}",
            project=_project(i // MODELS),
            technique=f"technique_{i % 5}",
            task="bench",
            exist_ok=True,
        )
        for i in range(width // MODELS * MODELS)
    ]
    return workload.Things(datasets, featuresets, models)


def _skewed(i: int, place: int, count: int) -> int:
    """Return a number below `count`; the first is the commonest by far."""
    return int(fraction(i, place) ** 3 * count)


def _run(i: int, things: workload.Things) -> dict[str, Any]:
    """Return the arguments of `log_run` for run number `i`."""
    project = _skewed(i, 200, len(things.models) // MODELS)
    used = _skewed(i, 201, len(things.datasets))
    model = project * MODELS + _skewed(i, 202, MODELS)
    start = _EPOCH + i * _BETWEEN
    return {
        "name": workload.run_name(i),
        "project": _project(project),
        "dataset": things.datasets[used],
        "featureset": things.featuresets[used],
        "model": things.models[model],
        "tag": f"sweep-{i // 200}",
        "params": workload.params(i),
        "metrics": workload.metrics(i),
        "start": start,
        **_ended(i, start),
    }


def _ended(i: int, start: datetime) -> dict[str, Any]:
    """Return how a run ended: one in fifty failed, one in a thousand never said."""
    if i % 1_000 == 7:
        return {"status": "running"}
    end = start + timedelta(minutes=1)
    if i % 50 == 3:
        return {"status": "failed", "end": end, "error": {"type": "ValueError", "message": "NaN in loss"}}
    return {"end": end}


def _deploy(pipe: Any, count: int) -> None:
    """Deploy runs one after another under each tag, each with a day of serving periods."""
    runs = pipe.search("run", "status = 'finished' and params.fold = 5", limit=count)
    each = -(-count // TAGS)
    for i in range(count):
        begin = _EPOCH + (i // TAGS) * _YEAR / each
        deployment = pipe.admin.register_deployment(
            f"prod-{i % TAGS}", run=runs[i % len(runs)], active_from=begin
        )
        for day in range(7):
            period = begin + day * _DAY / 7, begin + (day + 1) * _DAY / 7
            pipe.log_serving_perf(deployment, {"acc": fraction(i, day)}, period=period)


def _log_singly(pipe: Any, things: workload.Things, size: int) -> None:
    """Make changes of one thing among changes of many, and runs with curves."""
    for i in range(SINGLE):
        if i == SINGLE // 2:
            pipe.log_runs([_run(size + 1_000 + k, things) for k in range(PART)], batch_size=PART)
        given = _run(size + i, things)
        named = {word: given[word] for word in ("name", "project", "dataset", "featureset", "model", "tag")}
        with pipe.start_run(**named, capture=False) as run:
            run.log_params(given["params"])
            for step in range(CURVE):
                run.log_metrics({name: fraction(step, i) for name in workload.METRICS}, step=step)
