"""A model that is being trained and logs a metric at each step: to Arangopipe, or to MLflow.

It is run by the Python of either. The training itself is a hash of 64 kB a step, which like the kernels
of an array library lets other threads run.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import coprocess
from clock import clock

BATCH = os.urandom(1 << 16)

Log = Callable[[str, float, int], object]


class Trainer:
    """One run at a time; the sides say how it starts, logs and ends, and what was recorded."""

    log: Log

    def calls(self, count: int) -> dict[str, Any]:
        """Return how long a call to log takes, and one of a function that does nothing."""
        return {"seconds": _loop(self.log, count), "empty": _loop(_nothing, 20_000)}

    def train(self, seconds: float, most: int) -> dict[str, Any]:
        """Train for a while, but not for more than so many steps."""
        steps, spent, worst, errors, said = 0, 0.0, 0.0, 0, ""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until and steps < most:
            sha256(BATCH).digest()
            start = time.perf_counter()
            try:
                self.log("loss", 1.0 / (steps + 1), steps)
            except Exception as error:
                errors, said = errors + 1, said or _said(error)
            taken = time.perf_counter() - start
            steps, spent, worst = steps + 1, spent + taken, max(worst, taken)
        return {"steps": steps, "mean": spent / steps, "worst": worst, "errors": errors, "said": said}

    def end(self) -> dict[str, Any]:
        """End the run; say how, and how long it took."""
        start = time.perf_counter()
        said = ""
        try:
            self.close()
        except Exception as error:
            said = _said(error)
        return {"seconds": time.perf_counter() - start, "said": said}

    def close(self) -> None:
        """End the run."""
        raise NotImplementedError


class Ours(Trainer):
    """Arangopipe."""

    def start(self, url: str) -> dict[str, Any]:
        """Start a run."""
        import arangopipe

        warnings.simplefilter("ignore")
        self._pipe = arangopipe.connect(url, actor="bench", capture=False)
        self._run = self._pipe.start_run(name="training")
        self.log = self._run.log_metric
        return {"run": self._run.id}

    def close(self) -> None:
        """End the run and leave, as a program does that ends."""
        try:
            self._run.close()
        finally:
            self._pipe.close()

    def recorded(self, url: str, run: str) -> dict[str, Any]:
        """Return how many points a new connection finds."""
        import arangopipe

        with arangopipe.connect(url, actor="bench") as pipe:
            return {"points": len(pipe.metric_points(run, "loss"))}


class MLflow(Trainer):
    """MLflow as shipped, or with its asynchronous logging."""

    def start(self, url: str, asynchronous: bool = False) -> dict[str, Any]:
        """Start a run."""
        os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
        import mlflow

        logging.disable(logging.CRITICAL)
        mlflow.set_tracking_uri(url)
        self._mlflow = mlflow
        run = mlflow.start_run(run_name="training")

        def log(name: str, value: float, step: int) -> None:
            mlflow.log_metric(name, value, step=step, synchronous=not asynchronous)

        self.log = log
        return {"run": run.info.run_id}

    def close(self) -> None:
        """End the run and wait for what is still to be written."""
        self._mlflow.flush_async_logging()
        self._mlflow.end_run()

    def recorded(self, url: str, run: str) -> dict[str, Any]:
        """Return how many points the store has."""
        from mlflow import MlflowClient

        return {"points": len(MlflowClient(url).get_metric_history(run, "loss"))}


def _nothing(name: str, value: float, step: int) -> None:
    pass


def _loop(log: Log, count: int) -> float:
    start = clock()
    for step in range(count):
        log("loss", 0.5, step)
    return (clock() - start) / count


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".split("\n")[0][:160]


if __name__ == "__main__":
    side: Any = {"arangopipe": Ours, "mlflow": MLflow}[sys.argv[1]]()
    coprocess.serve({work: getattr(side, work) for work in ("start", "calls", "train", "end", "recorded")})
