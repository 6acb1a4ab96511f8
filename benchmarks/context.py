"""One run of the benchmark: its folder, how thorough it is, what it has found."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import workload
from environments import Missing, Peer
from result import Findings, Result
from rich.progress import Progress


@dataclass(frozen=True)
class Effort:
    """How thorough a run is."""

    width: int = 1_000
    """Datasets, featuresets and models of each store."""
    rounds: int = 9
    seconds: float = 0.05
    """At least so long a read is repeated in a round."""
    chunk: int = 50
    """Runs that are logged in a round."""
    repeats: int = 6
    """A store of 1,000 runs is loaded so often, a larger one less."""
    starts: int = 12
    processes: tuple[int, ...] = (8, 32)
    writes: int = 800
    """Runs that all processes write together."""
    clients: tuple[int, ...] = (1, 8, 64)
    """Clients that send over HTTP at once."""
    exchanges: int = 4
    """Rounds over HTTP."""
    visits: int = 3
    """Servers that are started to see how long pages take at first."""
    hold: float = 3.0
    """A training lasts so long."""
    shapes: tuple[workload.Shape, ...] = workload.SHAPES
    """The lineages that are walked."""


QUICK = Effort(
    width=50,
    rounds=3,
    seconds=0.01,
    chunk=10,
    repeats=2,
    starts=2,
    processes=(4,),
    writes=40,
    clients=(1, 8),
    exchanges=1,
    visits=1,
    hold=0.3,
    shapes=workload.SHAPES[:2],
)


class Bench:
    """What the parts of a run share."""

    def __init__(
        self, folder: Path, groups: Sequence[str], peers: bool, effort: Effort, progress: Progress, steps: int
    ) -> None:
        self.folder = folder
        self.effort = effort
        self.random = random.Random(0)
        self.found = Findings()
        self._groups = groups
        self._peers = peers
        self._progress = progress
        self._task = progress.add_task("…", total=steps)

    def wants(self, group: str) -> bool:
        """Return whether a group was asked for."""
        return group in self._groups

    def python(self, peer: Peer) -> Path | None:
        """Return the Python of a peer's environment; None, noted, if the peer cannot be had here."""
        if not self._peers:
            return None
        try:
            return peer.python()
        except Missing as error:
            self.leave_out(peer.package, error)
            return None

    def leave_out(self, peer: str, why: Exception) -> None:
        """Note that a peer is not measured, or not further."""
        note = f"{peer} is left out: {why}"
        if note not in self.found.notes:
            self.found.notes.append(note)

    def say(self, text: str) -> None:
        """Tell what is being done now."""
        self._progress.update(self._task, description=text, advance=1)
        if not self._progress.console.is_terminal:
            self._progress.console.print(text, highlight=False)

    def tell(self, text: str) -> None:
        """Tell how far the present step is."""
        self._progress.update(self._task, description=text)

    def add(self, found: Result) -> None:
        """Keep a result, if its group was asked for."""
        if self.wants(found.group):
            self.found.results.append(found)
