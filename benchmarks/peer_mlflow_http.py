"""The side of MLflow's server: it, bare clients of its REST API, and its own client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import coprocess
import peer_mlflow
import workload
from clock import clock
from mlflow import MlflowClient

BOOT_SECONDS = 240
SETTLE_SECONDS = 3
"""Its workers start one after another; the first answers before the last is there."""


class Side(peer_mlflow.Side):
    """One server on a store, as it ships but for TCP_NODELAY, and what talks to it."""

    def open(self, path: str, width: int) -> dict[str, Any]:
        """Make a store with an experiment and models, and serve it."""
        super().open(path, width)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{path}"),
            *(
                "--host",
                "127.0.0.1",
                "--port",
                str(self._port),
                "--artifacts-destination",
                f"{path}-artifacts",
            ),
            # On a busy machine its workers take longer to start than the five seconds they are given.
            *("--uvicorn-opts", f"--timeout-worker-healthcheck {BOOT_SECONDS}"),
        ]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "nodelay")}
        with Path(f"{path}.log").open("w") as log:
            self._server = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=2).read()
                break
            except OSError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    self.close()
                    raise
                time.sleep(0.1)
        time.sleep(SETTLE_SECONDS)
        self._failed = 0
        self._client = MlflowClient(f"http://127.0.0.1:{self._port}")
        self.client(0, 4)
        return {}

    def close(self) -> None:
        """Stop the server and its workers."""
        if self._server.poll() is None:
            os.killpg(self._server.pid, signal.SIGTERM)
            try:
                self._server.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self._server.pid, signal.SIGKILL)
                self._server.wait()

    def client(self, first: int, count: int) -> dict[str, Any]:
        """Log runs with its own client: four calls each."""
        done = self.log(first, count)
        self._failed += done["failed"]
        return done

    def rest(self, first: int, count: int, clients: int) -> dict[str, Any]:
        """Log runs over its REST API, by several clients at once."""
        parts = [range(first + i, first + count, clients) for i in range(clients)]
        threads = [threading.Thread(target=self._send, args=(part,)) for part in parts]
        start = clock()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {"seconds": clock() - start}

    def _send(self, numbers: Sequence[int]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def post(path: str, **body: Any) -> Any:
            said = json.dumps(body)
            connection.request("POST", f"/api/2.0/mlflow/{path}", said, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise ValueError(f"{path}: {answer.status} {text[:200]!r}")
            return json.loads(text)

        for i in numbers:
            try:
                self._post_run(i, post)
            except (OSError, ValueError, http.client.HTTPException):
                self._failed += 1
                connection.close()

    def _post_run(self, i: int, post: Any) -> None:
        now = int(time.time() * 1000)
        created = post(
            "runs/create", experiment_id=self._experiment, run_name=workload.run_name(i), start_time=now
        )
        id = created["run"]["info"]["run_id"]
        post(
            "runs/log-batch",
            run_id=id,
            metrics=[
                {"key": name, "value": value, "timestamp": now, "step": 0}
                for name, value in workload.metrics(i).items()
            ],
            params=[{"key": name, "value": str(value)} for name, value in workload.params(i).items()],
        )
        post(
            "runs/log-inputs",
            run_id=id,
            datasets=[
                {
                    "dataset": {
                        "name": f"{kind}_{i % self._width}",
                        "digest": str(i % self._width),
                        "source_type": "local",
                        "source": f"s3://{kind}",
                    }
                }
                for kind in ("dataset", "featureset")
            ],
            models=[{"model_id": self._models[i % len(self._models)]}],
        )
        post("runs/update", run_id=id, status="FINISHED", end_time=now)

    def place(self) -> dict[str, Any]:
        """Return where its server is, and an experiment and a run to look at."""
        (run,) = self._client.search_runs([self._experiment], max_results=1)
        return {"port": self._port, "experiment": self._experiment, "run": run.info.run_id}

    def whole(self) -> dict[str, Any]:
        """Count runs, those that failed, and those that have not all of their record."""
        return {**super().whole(), "failed": self._failed}


if __name__ == "__main__":
    side = Side()
    try:
        coprocess.serve(
            {work: getattr(side, work) for work in ("open", "fill", "place", "client", "rest", "whole")}
        )
    finally:
        side.close()
