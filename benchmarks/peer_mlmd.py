"""ml-metadata's side, run by the Python of its environment: its own API on its SQLite file."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "3")

import coprocess
import ml_metadata
import workload
from clock import clock, timed
from ml_metadata.proto import metadata_store_pb2 as pb

INPUT, OUTPUT = pb.Event.INPUT, pb.Event.OUTPUT
KINDS = ("Dataset", "Featureset", "Model")
PROPERTY = {str: pb.STRING, int: pb.INT, float: pb.DOUBLE}
PART = 1_000

Options = pb.LineageSubgraphQueryOptions


class Side:
    """One store and the work on it."""

    def __init__(self, journal: str) -> None:
        self._journal = journal

    def open(self, path: str, width: int) -> dict[str, Any]:
        """Make a store with the things that runs refer to."""
        if self._journal == "wal":
            with closing(sqlite3.connect(path)) as connection:
                # The mode is kept only by a file that something was written to.
                connection.executescript("PRAGMA journal_mode=wal; CREATE TABLE x(a); DROP TABLE x;")
        self._attach(path)
        values = {**workload.params(0), **workload.metrics(0)}
        properties = {name: PROPERTY[type(value)] for name, value in values.items()}
        put = self._store.put_execution_type
        self._run = put(pb.ExecutionType(name="Run", properties=properties))
        self._other = {kind: put(pb.ExecutionType(name=kind)) for kind in ("Featurize", "Deployment")}
        self._kinds = {
            kind: self._store.put_artifact_type(
                pb.ArtifactType(name=kind, properties={"about": pb.STRING, "rows": pb.INT})
            )
            for kind in KINDS
        }
        self._ids = {
            kind: self._store.put_artifacts(
                [self._artifact(kind, f"{kind.lower()}_{i}", i) for i in range(width)]
            )
            for kind in KINDS
        }
        with closing(sqlite3.connect(path)) as connection:
            (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
        return {"version": ml_metadata.__version__, "journal": journal}

    def _attach(self, path: str) -> None:
        config = pb.ConnectionConfig()
        config.sqlite.filename_uri = path
        config.sqlite.connection_mode = 3
        self._store = ml_metadata.MetadataStore(config)

    def _artifact(self, kind: str, name: str, rows: int) -> Any:
        found = pb.Artifact(type_id=self._kinds[kind], name=name, uri=f"s3://bench/{name}")
        found.properties["about"].string_value = f"{kind} {rows % 5}"
        found.properties["rows"].int_value = rows
        return found

    def _execution(self, i: int) -> Any:
        found = pb.Execution(
            type_id=self._run, name=workload.run_name(i), last_known_state=pb.Execution.COMPLETE
        )
        for name, value in {**workload.params(i), **workload.metrics(i)}.items():
            field = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
            setattr(found.properties[name], field, value)
        return found

    def _events(self, i: int) -> list[Any]:
        used = {kind: ids[i % len(ids)] for kind, ids in self._ids.items()}
        return [
            pb.Event(artifact_id=id, type=OUTPUT if kind == "Model" else INPUT) for kind, id in used.items()
        ]

    def log(self, first: int, count: int) -> dict[str, Any]:
        """Log runs one by one."""
        numbers = range(first, first + count)

        def work() -> None:
            for i in numbers:
                self._store.put_execution(self._execution(i), [(None, e) for e in self._events(i)], [])

        return {"seconds": timed(work)}

    def bulk(self, first: int, count: int) -> dict[str, Any]:
        """Log runs, 1,000 a call."""

        def work() -> None:
            for start, size in workload.chunks(first, count, PART):
                numbers = range(start, start + size)
                events = [(place, None, e) for place, i in enumerate(numbers) for e in self._events(i)]
                self._store.put_lineage_subgraph([self._execution(i) for i in numbers], [], [], events)

        return {"seconds": timed(work)}

    def run_by_name(self, names: Sequence[str]) -> dict[str, Any]:
        """Look up runs, which bring their parameters and metrics."""
        get = self._store.get_execution_by_type_and_name
        return _answer(lambda: [get("Run", name).name for name in names])

    def dataset_by_name(self, names: Sequence[str]) -> dict[str, Any]:
        """Look up datasets."""
        get = self._store.get_artifact_by_type_and_name
        return _answer(lambda: [get("Dataset", name).name for name in names])

    def search(self, depth: int, limit: int) -> dict[str, Any]:
        """Return the best runs with a parameter; the store filters, Python orders."""
        asked = ml_metadata.ListOptions(filter_query=f"properties.depth.int_value = {depth}")

        def work() -> list[float]:
            found = self._store.get_executions(asked)
            return sorted((run.properties["acc"].double_value for run in found), reverse=True)[:limit]

        return _answer(work)

    def lineage(self, label: str, repeats: int) -> dict[str, Any]:
        """Walk down from a dataset, all documents included; the faster of two ways counts."""
        shape = next(shape for shape in workload.SHAPES if shape.label == label)
        if label not in (made := self.__dict__.setdefault("_lineages", {})):
            made[label] = self._make_lineage(shape)
        ways: dict[str, Callable[[], int]] = {
            "get_lineage_subgraph": lambda: self._subgraph(f"lineage_{label}"),
            "hop by hop": lambda: self._hops(f"lineage_{label}"),
        }
        # What ours has, and one execution that made the featuresets; params and metrics are properties here.
        wanted = shape.nodes - 2 * shape.runs + 1
        spent = {}
        for way, work in ways.items():
            if (nodes := work()) != wanted:
                raise ValueError(f"{way} found {nodes} nodes of {wanted}")
            spent[way] = timed(lambda: [work() for _ in range(repeats)]) / repeats  # noqa: B023
        best = min(spent, key=lambda way: spent[way])
        return {"seconds": spent[best], "nodes": wanted, "way": best}

    def _make_lineage(self, shape: workload.Shape) -> bool:
        name = f"lineage_{shape.label}"
        artifacts = [self._artifact("Dataset", name, 0)]
        artifacts += [self._artifact("Featureset", f"{name}_{i}", i) for i in range(shape.featuresets)]
        models = len(artifacts)
        artifacts += [self._artifact("Model", f"{name}_{i}", i) for i in range(shape.models)]
        executions = [pb.Execution(type_id=self._other["Featurize"], name=name)]
        events = [(0, 0, pb.Event(type=INPUT))]
        events += [(0, 1 + i, pb.Event(type=OUTPUT)) for i in range(shape.featuresets)]
        for i in range(shape.runs):
            execution = self._execution(20_000_000 + shape.nodes * 10 + i)
            executions.append(execution)
            events.append((len(executions) - 1, 0, pb.Event(type=INPUT)))
            events.append((len(executions) - 1, 1 + i % shape.featuresets, pb.Event(type=INPUT)))
            events.append((len(executions) - 1, models + i % shape.models, pb.Event(type=OUTPUT)))
        for i in range(shape.deployments):
            executions.append(pb.Execution(type_id=self._other["Deployment"], name=f"{name}_{i}"))
            events.append((len(executions) - 1, models + i % shape.models, pb.Event(type=INPUT)))
        self._store.put_lineage_subgraph(executions, artifacts, [], [(e, a, event) for e, a, event in events])
        return True

    def _subgraph(self, name: str) -> int:
        found = self._store.get_lineage_subgraph(
            Options(
                starting_artifacts=Options.StartingNodes(
                    filter_query=f"type = 'Dataset' AND name = '{name}'"
                ),
                max_num_hops=20,
                direction=Options.DOWNSTREAM,
            )
        )
        return len(found.artifacts) + len(found.executions)

    def _hops(self, name: str) -> int:
        store = self._store
        front = [store.get_artifact_by_type_and_name("Dataset", name).id]
        artifacts, executions = set(front), set()
        while front:
            read = {event.execution_id for event in store.get_events_by_artifact_ids(front) if _is_in(event)}
            read -= executions
            executions |= read
            made = store.get_events_by_execution_ids(list(read)) if read else []
            front = list({event.artifact_id for event in made if not _is_in(event)} - artifacts)
            artifacts.update(front)
        found = store.get_artifacts_by_id(list(artifacts)), store.get_executions_by_id(list(executions))
        return sum(map(len, found))


def _is_in(event: Any) -> bool:
    return bool(event.type == INPUT)


def _answer(work: Callable[[], list[Any]]) -> dict[str, Any]:
    start = clock()
    found = work()
    return {"seconds": clock() - start, "answer": found}


if __name__ == "__main__":
    side = Side(*sys.argv[1:])
    works = ("open", "log", "bulk", "run_by_name", "dataset_by_name", "search", "lineage")
    coprocess.serve({work: getattr(side, work) for work in works})
