"""Stores in memory whose truth is known: what has an effect, on whom, and how noisy it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import arangopipe
from arangopipe.pipe import ArangoPipe

TECHNIQUES = ("ridge", "lasso", "svr", "knn", "forest")

Truth = Callable[[str, str], float]
"""The effect of the attribute on the error, by technique and dataset."""


class Simulated:
    """A store with techniques on featuresets with and without the attribute ``extra``, some seeds each."""

    def __init__(self, rng: np.random.Generator, datasets: int = 1) -> None:
        self.rng = rng
        self.pipe = arangopipe.connect("memory://", capture=False)
        self.pipe.admin.register_project("p")
        self.models = {
            name: self.pipe.register_model(name, project="p", task="t", technique=name) for name in TECHNIQUES
        }
        self.datasets = [self.pipe.register_dataset(f"d{i}") for i in range(datasets)]
        self.featuresets = {
            (i, extra): self.pipe.register_featureset(
                f"f{i}{'+extra' if extra else ''}",
                dataset=data,
                columns={"a": "float", **({"extra": "float"} if extra else {})},
            )
            for i, data in enumerate(self.datasets)
            for extra in (False, True)
        }

    def runs(
        self,
        effect: Truth,
        seeds: Sequence[int] = range(4),
        shared: float = 0.5,
        noise: float = 0.5,
        techniques: Sequence[str] = TECHNIQUES,
        **more: Any,
    ) -> Iterator[dict[str, Any]]:
        """Yield runs: an error of 50, the effect, noise that repeats share, and noise of each run."""
        for i, data in enumerate(self.datasets):
            for technique in techniques:
                for extra in (False, True):
                    common = self.rng.normal(0, shared)
                    for seed in seeds:
                        error = 50 + common + self.rng.normal(0, noise)
                        error += effect(technique, data.name) if extra else 0.0
                        yield {
                            "model": self.models[technique],
                            "datasets": {"training": data, "test": data},
                            "featureset": self.featuresets[i, extra],
                            "params": {"alpha": 1.0},
                            "metrics": {"rmse": error},
                            "seed": seed,
                            **more,
                        }

    def filled(self, effect: Truth, **more: Any) -> ArangoPipe:
        """Record such runs and return the pipe."""
        self.pipe.log_runs(self.runs(effect, **more))
        return self.pipe
