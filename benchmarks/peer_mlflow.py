"""MLflow's side, run by the Python of its environment: its client on its SQLite file, no server."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import Any

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")

import coprocess
import mlflow
import workload
from clock import clock
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, LoggedModelInput, Metric, Param

MODELS = 100
TABLES = ("runs", "params", "metrics", "latest_metrics", "tags")

logging.disable(logging.ERROR)


class Side:
    """One store and the work on it."""

    def open(self, path: str, width: int) -> dict[str, Any]:
        """Make a store with an experiment and models."""
        self._width = width
        client = MlflowClient(f"sqlite:///{path}")
        experiment = client.create_experiment("bench", artifact_location=f"{path}-artifacts")
        for i in range(min(width, MODELS)):
            client.create_logged_model(experiment, name=f"model_{i}")
        return self.attach(path, width)

    def attach(self, path: str, width: int) -> dict[str, Any]:
        """Open a store that `open` made."""
        self._path, self._width = path, width
        self._client = MlflowClient(f"sqlite:///{path}")
        self._experiment = self._client.get_experiment_by_name("bench").experiment_id
        with closing(sqlite3.connect(path)) as connection:
            self._models = [
                id for (id,) in connection.execute("SELECT model_id FROM logged_models ORDER BY rowid")
            ]
            (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
        return {"version": mlflow.__version__, "journal": journal}

    def _log(self, i: int) -> str:
        """Log the full record of a run: four calls."""
        client = self._client
        id: str = client.create_run(self._experiment, run_name=workload.run_name(i)).info.run_id
        now = int(time.time() * 1000)
        client.log_batch(
            id,
            [Metric(name, value, now, 0) for name, value in workload.metrics(i).items()],
            [Param(name, str(value)) for name, value in workload.params(i).items()],
        )
        datasets = [
            DatasetInput(
                Dataset(f"{kind}_{i % self._width}", str(i % self._width), "local", f"s3://{kind}"), []
            )
            for kind in ("dataset", "featureset")
        ]
        client.log_inputs(id, datasets, [LoggedModelInput(self._models[i % len(self._models)])])
        client.set_terminated(id)
        return id

    def log(self, first: int, count: int) -> dict[str, Any]:
        """Log runs one by one; those that fail are counted."""
        failed: Counter[str] = Counter()
        start = clock()
        for i in range(first, first + count):
            try:
                self._log(i)
            except Exception as error:
                failed[str(error).split("\n")[0][:80]] += 1
        return {"seconds": clock() - start, "failed": sum(failed.values()), "errors": failed}

    def whole(self) -> dict[str, Any]:
        """Count runs, and those that have all of their record."""
        with closing(sqlite3.connect(self._path)) as connection:
            (runs,) = connection.execute("SELECT count(*) FROM runs").fetchone()
            (whole,) = connection.execute(
                "SELECT count(*) FROM runs r WHERE r.status = 'FINISHED' "
                "AND (SELECT count(*) FROM params p WHERE p.run_uuid = r.run_uuid) = ? "
                "AND (SELECT count(*) FROM latest_metrics m WHERE m.run_uuid = r.run_uuid) = ? "
                "AND (SELECT count(*) FROM inputs i WHERE r.run_uuid IN (i.source_id, i.destination_id)) = 3",
                (len(workload.params(0)), len(workload.METRICS)),
            ).fetchone()
        return {"runs": runs, "half_written": runs - whole}

    def fill(self, first: int, count: int) -> dict[str, Any]:
        """Add runs as the client would leave them: with it, 10,000 would take minutes.

        The rows are copies of those of a run that the client has logged, and a few runs are compared with
        what the client gives for the same.
        """
        template = self._log(0)
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            Copier(connection, template, self._models, self._width).copy(range(first, first + count))
        self._client.delete_run(template)
        for i in (first, first + count - 1):
            copied = self._client.get_run(self._find(workload.run_name(i)).info.run_id)
            logged = self._client.get_run(self._log(i))
            if _content(copied) != _content(logged):
                raise ValueError(f"copied rows give another run: {_content(copied)} not {_content(logged)}")
            self._client.delete_run(logged.info.run_id)
        return {}

    def _find(self, name: str) -> Any:
        (found,) = self._client.search_runs(
            [self._experiment], f"attributes.run_name = '{name}'", max_results=1
        )
        return found

    def run_by_name(self, names: Sequence[str]) -> dict[str, Any]:
        """Find runs by their names."""
        start = clock()
        found = [self._find(name).info.run_name for name in names]
        return {"seconds": clock() - start, "answer": found}

    def search(self, depth: int, limit: int) -> dict[str, Any]:
        """Return the best runs with a parameter."""
        start = clock()
        found = self._client.search_runs(
            [self._experiment],
            f"params.depth = '{depth}'",
            order_by=["metrics.acc DESC"],
            max_results=limit,
        )
        return {"seconds": clock() - start, "answer": [run.data.metrics["acc"] for run in found]}


class Copier:
    """Adds runs by copying the rows of one."""

    def __init__(self, connection: sqlite3.Connection, run: str, models: Sequence[str], width: int) -> None:
        self._connection = connection
        self._run = run
        self._models = models
        self._width = width
        self._rows = {table: self._select(table, f"run_uuid = '{run}'") for table in TABLES}
        self._inputs = self._select("inputs", f"'{run}' IN (source_id, destination_id)")
        self._datasets = {
            row["name"].rpartition("_")[0]: row
            for row in self._select("datasets", "name IN ('dataset_0', 'featureset_0')")
        }

    def _select(self, table: str, condition: str) -> list[dict[str, Any]]:
        rows = self._connection.execute(f"SELECT * FROM {table} WHERE {condition}")
        return [dict(row) for row in rows]

    def _insert(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        names = ", ".join(rows[0])
        places = ", ".join(f":{name}" for name in rows[0])
        self._connection.executemany(f"INSERT INTO {table}({names}) VALUES ({places})", rows)

    def copy(self, numbers: range) -> None:
        """Add runs of these numbers."""
        self._connection.execute("BEGIN IMMEDIATE")
        known = {kind: self._known(row, f"{kind}_") for kind, row in self._datasets.items()}
        for i in numbers:
            self._copy(i, {kind: ids[i % self._width] for kind, ids in known.items()})
        self._connection.execute("COMMIT")

    def _known(self, row: dict[str, Any], prefix: str) -> list[str]:
        """Return the ids of all datasets of a sort; those that no run has used yet are added."""
        there = {each["name"]: each["dataset_uuid"] for each in self._select("datasets", "true")}
        ids = [there.get(f"{prefix}{i}") or uuid.uuid4().hex for i in range(self._width)]
        added = [
            {**row, "dataset_uuid": id, "name": f"{prefix}{i}", "digest": str(i)}
            for i, id in enumerate(ids)
            if f"{prefix}{i}" not in there
        ]
        if added:
            self._insert("datasets", added)
        return ids

    def _copy(self, i: int, datasets: dict[str, str]) -> None:
        new = uuid.uuid4().hex
        ids = {row["dataset_uuid"]: datasets[kind] for kind, row in self._datasets.items()}
        ids[self._models[0]] = self._models[i % len(self._models)]
        values: dict[str, Any] = {name: str(value) for name, value in workload.params(i).items()}
        values.update(workload.metrics(i))

        def changed(row: dict[str, Any]) -> dict[str, Any]:
            found = {
                name: ids.get(value, value.replace(self._run, new)) if isinstance(value, str) else value
                for name, value in row.items()
            }
            if found.get("key") in values:
                found["value"] = values[found["key"]]
            for name in ("name", "value"):
                if found.get(name) == workload.run_name(0):
                    found[name] = workload.run_name(i)
            return found

        for table, rows in self._rows.items():
            self._insert(table, [changed(row) for row in rows])
        self._insert("inputs", [{**changed(row), "input_uuid": uuid.uuid4().hex} for row in self._inputs])


def _content(run: Any) -> Any:
    used = sorted(given.dataset.name for given in run.inputs.dataset_inputs)
    models = sorted(given.model_id for given in run.inputs.model_inputs)
    tags = {name: value for name, value in run.data.tags.items() if name == "mlflow.runName"}
    return run.info.run_name, run.info.status, run.data.params, run.data.metrics, tags, used, models


if __name__ == "__main__":
    side = Side()
    works = ("open", "attach", "log", "whole", "fill", "run_by_name", "search")
    coprocess.serve({work: getattr(side, work) for work in works})
