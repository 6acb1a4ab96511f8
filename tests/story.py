"""A store with some of everything that a page shows: made in a second, always the same but for its times."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta, timezone
from typing import Any

from arangopipe.model.graph import Batch, Point, Points
from arangopipe.model.ids import uuid7
from arangopipe.pipe import ArangoPipe

TECHNIQUES = ("ridge", "lasso", "svr", "knn", "forest")
SEEDS = 4
BEST = "diabetes-forest-base+s5-0"
START = datetime(2026, 9, 1, 8, tzinfo=timezone.utc)
COLUMNS = {"age": "float64", "bmi": "float64", "bp": "float64", "s5": "float64", "sex": "category"}


def tell(pipe: ArangoPipe) -> None:
    """Fill a store: two projects, versions, sweeps, curves, failures, deployments, serving, an own kind."""
    Story(pipe).tell()


class Story:
    def __init__(self, pipe: ArangoPipe) -> None:
        self.pipe = pipe
        self.random = random.Random(7)
        self.now = datetime.now(timezone.utc)

    def tell(self) -> None:
        pipe = self.pipe
        pipe.admin.register_project("diabetes", description="How the disease of 442 patients went on")
        pipe.admin.register_project("churn", description="Who leaves within a quarter")
        self.data = [self._dataset(version, rows) for version, rows in (("1", 430), ("2", 442))]
        self.holdout = pipe.register_dataset(
            "holdout", source="hospital", summary={"rows": 90}, description="Patients of another year"
        )
        self.features = {
            name: pipe.register_featureset(
                name,
                dataset=self.data[1],
                columns={column: COLUMNS[column] for column in columns},
                transformation="standard scaling",
            )
            for name, columns in (("base", ("age", "bmi", "bp")), ("base+s5", ("age", "bmi", "bp", "s5")))
        }
        self.models = {
            name: pipe.register_model(name, project="diabetes", task="progression", technique=name)
            for name in TECHNIQUES
        }
        pipe.register_model("logit", project="churn", task="churn", technique="logistic regression")
        self._sweep()
        self._curves()
        self._failures()
        self._serving()
        pipe.admin.register_node_kind("reports", records="what was written about it")
        pipe.annotate(self.models["forest"], description="What serves since October", reason="as reviewed")

    def _dataset(self, version: str, rows: int) -> Any:
        columns = {
            name: {
                "dtype": dtype,
                "missing": self.random.randint(0, 3),
                "mean": self.random.randint(0, 9) / 8,
            }
            for name, dtype in COLUMNS.items()
        }
        return self.pipe.register_dataset(
            "patients",
            version=version,
            source="hospital",
            location=f"s3://clinic/patients/v{version}.parquet",
            summary={"rows": rows, "column_count": len(columns), "columns": columns},
            description="Measurements of patients, and how their disease went on",
        )

    def _sweep(self) -> None:
        runs = []
        for place, technique in enumerate(TECHNIQUES):
            for name in self.features:
                for seed in range(SEEDS):
                    better = 4.5 if name == "base+s5" else 0.0
                    rmse = 60 + place * -0.7 - better + self.random.gauss(0, 0.6)
                    start = START + timedelta(hours=len(runs))
                    runs.append(
                        {
                            "project": "diabetes",
                            "model": self.models[technique],
                            "datasets": {"training": self.data[1], "test": self.holdout},
                            "featureset": self.features[name],
                            "name": f"diabetes-{technique}-{name}-{seed}",
                            "params": {"alpha": 10.0**-seed, "depth": 3 + seed, "loss": "squared"},
                            "metrics": {"rmse": rmse, "r2": 1 - rmse / 110, "mae": rmse * 0.8},
                            "tag": "sweep",
                            "seed": seed,
                            "start": start,
                            "end": start + timedelta(minutes=7, seconds=seed),
                            "user": "ana",
                        }
                    )
        self.pipe.log_runs(runs)

    def _curves(self) -> None:
        for place in range(3):
            start = START + timedelta(days=30, hours=place)
            run = self.pipe.log_run(
                project="diabetes",
                model=self.models["forest"],
                dataset=self.data[1],
                featureset=self.features["base+s5"],
                name=f"net-{place}",
                key=f"net-{place}",
                params={"rate": 10.0 ** -(place + 1), "layers": [64, 32], "solver": "adam"},
                optimizer={"name": "adam", "betas": [0.9, 0.999]},
                fitted={"epochs": 120},
                metrics={"rmse": 54.0 + place, "loss": 0.1},
                tag="net",
                start=start,
                end=start + timedelta(hours=1),
                artifacts=[{"name": "weights", "uri": "s3://clinic/net.pt", "bytes": 1_234_567}],
                tags={"owner": "ana", "stage": "trial"},
                code={"commit": "9140abc", "dirty": False, "file": "train.py"},
                environment={"python": "3.11.7", "packages": {"numpy": "2.1.3", "scipy": "1.14.1"}},
            )
            points = {
                name: tuple(
                    Point(
                        step,
                        int((start.timestamp() + step * 30) * 1e6),
                        scale * (math.exp(-step / (40 + 20 * place)) + self.random.random() * 0.04) + 0.05,
                    )
                    for step in range(120)
                )
                for name, scale in (("loss", 1.0), ("validation.loss", 1.3))
            }
            self.pipe.store.write(
                Batch(
                    uuid7(),
                    points=tuple(Points(run.id, name, each) for name, each in points.items()),
                    actor="ana",
                    action="log metrics",
                )
            )

    def _failures(self) -> None:
        start = START + timedelta(days=31)
        self.pipe.log_run(
            project="diabetes",
            model=self.models["knn"],
            name="broken",
            key="broken",
            status="failed",
            start=start,
            end=start + timedelta(seconds=40),
            error={
                "type": "ValueError",
                "message": "Input X contains NaN",
                "traceback": 'Traceback (most recent call last):\n  File "train.py", line 3\nValueError',
            },
        )

    def _serving(self) -> None:
        admin = self.pipe.admin
        first, second = (self.pipe.lookup_run(name) for name in (f"{BEST[:-1]}1", BEST))
        since = [datetime(2026, 10, 1, tzinfo=timezone.utc), datetime(2026, 10, 20, tzinfo=timezone.utc)]
        admin.register_deployment("prod", run=first, active_from=since[0], key="prod-1")
        admin.register_deployment("prod", run=second, active_from=since[1], key="prod-2")
        trial, last = (self.pipe.lookup_run(f"diabetes-{name}") for name in ("svr-base-0", "knn-base+s5-0"))
        admin.register_deployment(
            "trial", run=trial, active_from=START, active_to=since[0] + timedelta(days=9), key="trial-1"
        )
        admin.register_deployment("prod", run=last, schedule=self.now + timedelta(days=12), key="prod-3")
        for week in (0, 1, 3, 4):
            start = since[0] + timedelta(weeks=week)
            self.pipe.log_serving_perf(
                "prod", {"rmse": 58.0 + week, "rows": 120 + week}, period=(start, start + timedelta(weeks=1))
            )
