"""Other processes that take their turn when they are told to.

A script calls `serve` with what it can do; the benchmark starts it as a `Coprocess` and asks. One line
of JSON goes each way. This module needs nothing but Python, since it runs in the environments of peers too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).resolve().parent
"""Where the scripts are."""

Work = Callable[..., dict[str, Any]]


class Failed(Exception):
    """The other process could not do what it was asked for."""


def serve(works: Mapping[str, Work]) -> None:
    """Do what each line of standard input asks for, and answer with a line, until there is none."""
    # Whatever libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = works[asked.pop("work")](**asked)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


class Coprocess:
    """Another process that serves; what it says on standard error goes to a file."""

    def __init__(self, command: Sequence[str | Path], log: Path, **environment: str) -> None:
        self._log = log
        self._command = [str(part) for part in command]
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}

    def __enter__(self) -> Coprocess:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def tell(self, work: str, **asked: Any) -> None:
        """Ask for some work; its answer must be fetched by `hear`."""
        try:
            self._process.stdin.write(json.dumps({"work": work, **asked}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self._last_words()) from None

    def hear(self) -> dict[str, Any]:
        """Return the answer to what was told last."""
        line = self._process.stdout.readline()
        if not line:
            raise Failed(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def ask(self, work: str, **asked: Any) -> dict[str, Any]:
        """Have some work done and return the answer."""
        self.tell(work, **asked)
        return self.hear()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"{self._command[0]} ended with {self._process.poll()}"
