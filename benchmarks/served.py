"""Servers of the benchmark: each a process of its own that says where it listens."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from clock import counts_processor_time
from coprocess import HERE, Failed

OURS = (sys.executable, "-c", "from arangopipe.cli import main; main()", "serve", "--port", "0", "--json")


class Server:
    """A running server and its port; what it logs goes to a file."""

    def __init__(self, command: tuple[str | Path, ...], log: Path) -> None:
        self._command = [str(part) for part in command]
        self._log = log

    def __enter__(self) -> Server:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self._process.stdout:
            port = line.strip().rstrip('",').rpartition(":")[2]
            if port.isdigit():
                self.port = int(port)
                return self
        self._stop()
        raise Failed("\n".join(self._log.read_text(errors="replace").splitlines()[-1:]) or "no server")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._stop()

    def clock(self) -> float:
        """Return the time in seconds; where processor time is counted, that which this server has used."""
        if counts_processor_time() and sys.platform == "linux":
            # It is told when the process pauses; the clock is what clock_getcpuclockid gives for it.
            time.sleep(0.005)
            return time.clock_gettime((~self._process.pid << 3) | 2)
        return time.perf_counter()

    def _stop(self) -> None:
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def ours(url: str, log: Path) -> Server:
    """Return `arangopipe serve` as it is shipped."""
    return Server((*OURS, "--store", url), log)


def limit(path: Path, log: Path) -> Server:
    """Return the hand-written server."""
    return Server((sys.executable, HERE / "http_limit.py", path), log)
