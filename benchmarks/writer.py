"""One of several processes that write to one store: through Arangopipe, or by hand."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import coprocess


def counted(write: Callable[[Any], object], items: Iterable[Any]) -> dict[str, Any]:
    """Write items; return how many failed, the last failure, and the longest time that one took."""
    failed, said, worst = 0, "", 0.0
    for item in items:
        start = time.perf_counter()
        try:
            write(item)
        except Exception as error:
            failed, said = failed + 1, f"{type(error).__name__}: {error}"
        worst = max(worst, time.perf_counter() - start)
    return {"failed": failed, "said": said, "worst": worst}


class Ours:
    """Writes through the API."""

    def open(self, path: str, width: int) -> dict[str, Any]:
        """Connect, and look up what runs refer to."""
        import recording
        import stores

        import arangopipe

        self._stack = ExitStack()
        self._pipe = self._stack.enter_context(arangopipe.connect(f"sqlite:///{path}", **stores.OPTIONS))
        self._things = recording.things(self._pipe, width)
        return {}

    def log(self, first: int, count: int) -> dict[str, Any]:
        """Log runs one by one."""
        import workload

        runs = workload.runs(first, count, self._things)
        return counted(lambda run: self._pipe.log_run(**run, capture=False), runs)


class Raw:
    """Writes by hand."""

    def open(self, path: str, width: int) -> dict[str, Any]:
        """Connect."""
        import raw

        self._writer = raw.Writer(Path(path))
        return {}

    def give(self, path: str) -> dict[str, Any]:
        """Take the rows that are to be written."""
        self._changes = pickle.loads(Path(path).read_bytes())
        return {}

    def log(self, first: int, count: int) -> dict[str, Any]:
        """Write them, one transaction a run."""
        return counted(self._writer.log, self._changes)


if __name__ == "__main__":
    side: Any = {"ours": Ours, "raw": Raw}[sys.argv[1]]()
    coprocess.serve({work: getattr(side, work) for work in ("open", "give", "log") if hasattr(side, work)})
