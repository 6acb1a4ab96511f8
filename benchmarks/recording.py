"""The workload through Arangopipe: what `workload` describes, recorded as a user would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import workload

import arangopipe

SEED_RUNS = 2
"""Runs of the seed: one with what capture knows, one without."""


def make_seed(place: Path | str, width: int) -> None:
    """Make a store that holds `width` datasets, featuresets and models, and two runs.

    The runs make sure that all names of values are known to the store, as they are to one in use.
    """
    url = place if isinstance(place, str) else f"sqlite:///{place}?durability=relaxed"
    with arangopipe.connect(url, actor="bench") as pipe:
        pipe.admin.register_project(workload.PROJECT)
        for i in range(width):
            dataset = pipe.register_dataset(f"dataset_{i}", location=f"s3://bench/{i}", rows=i)
            columns = {f"c{k}": "float64" for k in range(8)}
            pipe.register_featureset(f"featureset_{i}", dataset=dataset, columns=columns)
            technique = f"technique_{i % 5}"
            pipe.register_model(f"model_{i}", project=workload.PROJECT, technique=technique, task="bench")
        found = things(pipe, width)
        # A warm-up: the imports and caches of a first call are not what is measured.
        for capture in (True, False):
            pipe.log_run(**workload.run(0, found), capture=capture)


def things(pipe: Any, width: int) -> workload.Things:
    """Return what `make_seed` registered."""
    names = range(width)
    return workload.Things(
        [pipe.lookup_dataset(f"dataset_{i}") for i in names],
        [pipe.lookup_featureset(f"featureset_{i}") for i in names],
        [pipe.lookup_model(f"model_{i}", project=workload.PROJECT) for i in names],
    )


def make_lineage(pipe: Any, shape: workload.Shape, project: str = workload.PROJECT) -> Any:
    """Record a lineage of a shape and return its dataset."""
    name = f"lineage_{shape.label}"
    dataset = pipe.register_dataset(name, location="s3://bench/lineage")
    own = workload.Things(
        [dataset],
        [
            pipe.register_featureset(f"{name}_{i}", dataset=dataset, columns={"c": "float64"})
            for i in range(shape.featuresets)
        ],
        [
            pipe.register_model(f"{name}_{i}", project=project, technique="lineage")
            for i in range(shape.models)
        ],
    )
    first = 20_000_000

    def run(number: int) -> dict[str, Any]:
        return {**workload.run(first + number, own), "project": project}

    pipe.log_runs([run(i) for i in range(shape.runs - shape.deployments)])
    for i in range(shape.deployments):
        served = pipe.log_run(**run(shape.runs + i), capture=False)
        pipe.admin.register_deployment(f"{name}_{i}", run=served)
    return dataset
