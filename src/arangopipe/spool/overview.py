"""What waits in the spool, in short."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arangopipe.model import times
from arangopipe.spool.files import File
from arangopipe.spool.replay import written


@dataclass(frozen=True)
class Summary:
    """What one file of the spool holds: for which store, since when, why, and how much.

    `runs` counts the runs that are written to, `dropped` the points that found no room, and `damaged`
    the lines that cannot be read. `in_use`: the process that writes it goes on, or it is being replayed.
    """

    file: File
    in_use: bool
    store: str = ""
    since: datetime | None = None
    batches: int = 0
    runs: int = 0
    points: int = 0
    dropped: int = 0
    damaged: int = 0
    bytes: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """Whether it waits, was refused, or is in use."""
        return "in use" if self.in_use else "refused" if self.file.refused else "waits"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        since = None if self.since is None else times.to_text(self.since)
        named = {"name": self.file.name, "state": self.state, "store": self.store or None, "since": since}
        return {**named, **counts, "reasons": list(self.reasons)}


_COUNTS = ("batches", "runs", "points", "dropped", "damaged", "bytes")


def summary(file: File) -> Summary:
    """Read a file of the spool and return it in short; raises `OSError` where it cannot be read."""
    with file.locked() as locked:
        in_use = locked is None
    count: Counter[str] = Counter()
    runs: set[str] = set()
    reasons: dict[str, None] = {}
    store, since = "", None
    for raw, entry in file.lines():
        count["bytes"] += len(raw)
        reasons[entry.why] = None
        if entry.batch is None:
            count["damaged"] += 1
            continue
        store, since = store or entry.store, since or entry.time
        count["batches"] += 1
        count["dropped"] += entry.dropped
        count["points"] += sum(len(points.points) for points in entry.batch.points)
        runs.update(node_id for node_id in written(entry.batch) if node_id.startswith("run/"))
    return Summary(file, in_use, store, since, runs=len(runs), reasons=tuple(reasons), **count)
