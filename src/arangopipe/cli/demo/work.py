"""Recording the study: through the public API, and only what is not recorded yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from arangopipe.cli.demo import study
from arangopipe.cli.demo.study import DATASET, FEATURESETS, PROJECT, TASK, TECHNIQUES, Trial
from arangopipe.cli.terminal import Terminal
from arangopipe.model.entities import Dataset, Deployment, Featureset, Model, Run
from arangopipe.model.filters import parse

if TYPE_CHECKING:
    import pandas

    from arangopipe.pipe import ArangoPipe

SWEEP = "sweep"
DEPLOYED = "prod"
PRODUCTION_RUN = "demo-211"
DEPLOYMENT = "demo-prod"
YOUNGER_THAN = 50
BANDS: Mapping[str, tuple[int, float]] = {
    "age 50 to 54": (50, 55),
    "age 55 to 59": (55, 60),
    "age 60 to 64": (60, 65),
    "age 65 and over": (65, float("inf")),
}
PERIOD = timedelta(weeks=1)
SIMULATED = (
    "The periods are age bands of the same patients, not real time: what was measured is real, "
    "the dates are not."
)


class Work:
    """What there is to do in one store, and the doing of it."""

    def __init__(self, pipe: ArangoPipe) -> None:
        self.pipe = pipe
        self.frame = study.load()
        self.dataset, self.featuresets, self.models = self._register()

    def _register(self) -> tuple[Dataset, Mapping[str, Featureset], Mapping[str, Model]]:
        pipe = self.pipe
        if not pipe.store.find("project", PROJECT):
            pipe.admin.register_project(
                PROJECT, description="Disease progression of 442 diabetes patients after a year"
            )
        dataset = pipe.register_dataset(
            DATASET,
            data=self.frame,
            source="scikit-learn",
            description="Ten measurements of 442 patients, and the progression of their disease",
            exist_ok=True,
        )
        featuresets = {
            name: pipe.register_featureset(
                name,
                dataset=dataset,
                columns=self.frame[list(columns)],
                transformation="these columns, each scaled to mean 0 and deviation 1",
                exist_ok=True,
            )
            for name, columns in FEATURESETS.items()
        }
        models = {
            name: pipe.register_model(
                name, project=PROJECT, task=TASK, technique=technique.title, exist_ok=True
            )
            for name, technique in TECHNIQUES.items()
        }
        return dataset, featuresets, models

    def missing(self) -> Mapping[str, Trial]:
        """Return the trials of the sweep that are not recorded yet, by key."""
        trials = study.trials()
        known = self.pipe.store.get([f"run/{key}" for key in trials])
        return {key: trials[key] for key, run in zip(trials, known, strict=True) if run is None}

    def try_out(self, key: str, trial: Trial) -> None:
        """Train, measure and record one trial."""
        self._log(key, trial, self.frame, tag=SWEEP)

    def _log(self, key: str, trial: Trial, frame: pandas.DataFrame, **more: Any) -> Run:
        technique = TECHNIQUES[trial.technique]
        found = study.measure(frame, trial)
        params = {**technique.params, "folds": study.FOLDS, **more.pop("params", {})}
        return self.pipe.log_run(
            key=key,
            name=trial.name,
            project=PROJECT,
            model=self.models[trial.technique],
            datasets={"training": self.dataset, "test": self.dataset},
            featureset=self.featuresets[trial.featureset],
            params=params,
            metrics=found.metrics,
            seed=trial.seed,
            start=found.start,
            end=found.end,
            **more,
        )

    # --- deployment ------------------------------------------------------------------------------

    def deploy(self) -> int:
        """Train the best technique on younger patients, deploy it, and serve older ones.

        Returns how many runs that took: none where it was done before.
        """
        young = self.frame[self.frame["age"] < YOUNGER_THAN]
        trial = self._deployed()
        added = 0
        if trial is None:
            trial, added = self._best(), 1
            self._log_for_production(trial, young)
        deployment = self._placed()
        wanted = self._periods(deployment)
        known = self.pipe.store.get([f"servingperf/{key}" for key in wanted])
        if None in known:
            model = study.fit(young, trial)
            for (key, (band, start)), there in zip(wanted.items(), known, strict=True):
                if there is None:
                    self._serve(trial, model, key, band, start)
        return added

    def _deployed(self) -> Trial | None:
        """Return the trial that was trained for production, where there is one."""
        found = self._tried(f"key = '{PRODUCTION_RUN}'")
        return next((trial for trial, _ in found), None)

    def _best(self) -> Trial:
        """Return the technique and features with the lowest median error over the seeds."""
        errors: dict[tuple[str, str], list[float]] = {}
        for trial, rmse in self._tried(f"tag = '{SWEEP}'"):
            errors.setdefault((trial.technique, trial.featureset), []).append(rmse)
        technique, featureset = min(errors, key=lambda pair: (median(errors[pair]), pair))
        return Trial(technique, featureset, 0, f"under-{YOUNGER_THAN}")

    def _tried(self, where: str) -> Iterator[tuple[Trial, float]]:
        """Yield the trials that are recorded, and the error of each."""
        paths = ["model.name", "featureset.name", "seed", "population", "metrics.rmse"]
        for chunk in self.pipe.store.columns("run", paths, parse(where)):
            for model, featureset, seed, population, rmse in zip(
                *(chunk[path] for path in paths), strict=True
            ):
                yield Trial(model, featureset, seed, population or ""), rmse

    def _log_for_production(self, trial: Trial, young: pandas.DataFrame) -> None:
        """Record the run that is to be deployed; measured, like all, on rows it was not trained on."""
        fitted = study.fit(young, trial)["fit"]
        found = {}
        if hasattr(fitted, "coef_") and fitted.coef_.ndim == 1:
            columns = FEATURESETS[trial.featureset]
            coefficients = dict(zip(columns, fitted.coef_, strict=True))
            found = {"coefficients": coefficients, "intercept": fitted.intercept_}
        self._log(
            PRODUCTION_RUN,
            trial,
            young,
            params={"rows": f"age < {YOUNGER_THAN}"},
            fitted=found,
            deployment_tag=DEPLOYED,
            population=trial.population,
            tags={"purpose": "production"},
        )

    def _placed(self) -> Deployment:
        (node,) = self.pipe.store.get([f"deployment/{DEPLOYMENT}"])
        if node is not None:
            return Deployment(node)
        today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        return self.pipe.admin.register_deployment(
            DEPLOYED,
            run=f"run/{PRODUCTION_RUN}",
            key=DEPLOYMENT,
            active_from=today - len(BANDS) * PERIOD,
            note=SIMULATED,
        )

    def _periods(self, deployment: Deployment) -> Mapping[str, tuple[str, datetime]]:
        """Return, by key, the band that is served in each period, and when that starts."""
        first = deployment.active_from or datetime.now().astimezone()
        return {
            f"{DEPLOYMENT}-{place}": (band, first + (place - 1) * PERIOD)
            for place, band in enumerate(BANDS, 1)
        }

    def _serve(self, trial: Trial, model: Any, key: str, band: str, start: datetime) -> None:
        low, high = BANDS[band]
        rows = self.frame[(self.frame["age"] >= low) & (self.frame["age"] < high)]
        self.pipe.log_serving_perf(
            DEPLOYED,
            study.score(rows, trial, model),
            period=(start, start + PERIOD),
            key=key,
            population=band,
            note=SIMULATED,
        )


def record(pipe: ArangoPipe, terminal: Terminal, progress: bool) -> int:
    """Record what is missing of the study, and return how many runs that was."""
    work = Work(pipe)
    missing = work.missing()
    with _bar(terminal, len(missing), progress and terminal.err.is_terminal) as advance:
        for key, trial in missing.items():
            advance(trial.name)
            work.try_out(key, trial)
    return len(missing) + work.deploy()


@contextmanager
def _bar(terminal: Terminal, total: int, shown: bool) -> Iterator[Callable[[str], None]]:
    """Give what tells a progress bar the run that begins."""
    if not shown or not total:
        yield lambda name: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("Training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", style="dim"),
    )
    with Progress(*columns, console=terminal.err, transient=True) as bar:
        task = bar.add_task("", total=total)
        begun = iter(range(total))
        yield lambda name: bar.update(task, description=name, completed=next(begun))
