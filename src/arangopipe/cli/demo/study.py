"""The study that the demo records: what is trained on what, and how it is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arangopipe.errors import MissingExtra
from arangopipe.model import times

try:
    import pandas
    from sklearn.base import RegressorMixin
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import Lasso, Ridge
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
    from sklearn.model_selection import KFold, cross_validate
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR
except ImportError as error:
    raise MissingExtra("scikit-learn", "demo") from error

PROJECT = "diabetes"
DATASET = "diabetes"
TARGET = "target"
TASK = "progression"
FOLDS = 5
SEEDS = range(6)

BASE = ("age", "sex", "bmi", "bp")
FEATURESETS: Mapping[str, Sequence[str]] = {
    "base": BASE,
    **{f"base+{extra}": (*BASE, extra) for extra in ("s1", "s2", "s3", "s4", "s5", "s6")},
}


@dataclass(frozen=True)
class Technique:
    """A way to learn: what it is called, its parameters, and what makes it."""

    title: str
    params: Mapping[str, Any]
    make: Callable[..., RegressorMixin]
    seeded: bool = False

    def model(self, seed: int) -> Pipeline:
        """Return an untrained model that scales its input first."""
        random = {"random_state": seed} if self.seeded else {}
        return Pipeline([("scale", StandardScaler()), ("fit", self.make(**self.params, **random))])


TECHNIQUES: Mapping[str, Technique] = {
    "ridge": Technique("ridge", {"alpha": 1.0}, Ridge),
    "lasso": Technique("lasso", {"alpha": 1.0}, Lasso),
    "svr": Technique("support vector regression", {"C": 50.0, "kernel": "rbf"}, SVR),
    "knn": Technique("k-nearest neighbours", {"n_neighbors": 15}, KNeighborsRegressor),
    "forest": Technique(
        "random forest", {"n_estimators": 50, "min_samples_leaf": 5}, RandomForestRegressor, True
    ),
}


@dataclass(frozen=True)
class Trial:
    """One run to be: a technique on a featureset, with a seed that shuffles the folds.

    `population` names the patients where they are not all.
    """

    technique: str
    featureset: str
    seed: int
    population: str = ""

    @property
    def name(self) -> str:
        """What the run is called."""
        return f"{self.technique}-{self.featureset}-{self.population or self.seed}"


@dataclass(frozen=True)
class Result:
    """What a trial measured, and when."""

    metrics: Mapping[str, Any]
    start: datetime
    end: datetime


def trials() -> dict[str, Trial]:
    """Return the 210 trials, seed by seed, by the key of the run each becomes."""
    found = [
        Trial(technique, featureset, seed)
        for seed in SEEDS
        for featureset in FEATURESETS
        for technique in TECHNIQUES
    ]
    return {f"demo-{number:03}": trial for number, trial in enumerate(found, 1)}


def load() -> pandas.DataFrame:
    """Return the data: 442 patients, ten attributes and the progression of their disease."""
    frame: pandas.DataFrame = load_diabetes(as_frame=True, scaled=False).frame
    return frame


def measure(frame: pandas.DataFrame, trial: Trial) -> Result:
    """Train and measure by cross-validation; every figure is the mean over the folds."""
    start = times.now()
    scores = cross_validate(
        TECHNIQUES[trial.technique].model(trial.seed),
        frame[list(FEATURESETS[trial.featureset])],
        frame[TARGET],
        cv=KFold(FOLDS, shuffle=True, random_state=trial.seed),
        scoring={
            "rmse": "neg_root_mean_squared_error",
            "mae": "neg_mean_absolute_error",
            "r2": "r2",
        },
        error_score="raise",
    )
    rmse = -scores["test_rmse"]
    metrics = {
        "rmse": rmse.mean(),
        "rmse_by_fold": rmse,
        "mae": -scores["test_mae"].mean(),
        "r2": scores["test_r2"].mean(),
    }
    return Result(metrics, start, times.now())


def fit(frame: pandas.DataFrame, trial: Trial) -> Pipeline:
    """Return the model of a trial, trained on all rows."""
    model = TECHNIQUES[trial.technique].model(trial.seed)
    return model.fit(frame[list(FEATURESETS[trial.featureset])], frame[TARGET])


def score(frame: pandas.DataFrame, trial: Trial, model: Pipeline) -> dict[str, float]:
    """Return how well a trained model does on rows it has not seen."""
    predicted = model.predict(frame[list(FEATURESETS[trial.featureset])])
    return {
        "rmse": root_mean_squared_error(frame[TARGET], predicted),
        "mae": mean_absolute_error(frame[TARGET], predicted),
        "r2": r2_score(frame[TARGET], predicted),
        "rows": len(frame),
    }
