"""What this process keeps in the spool for one store: what waits, and what the store refused."""

from __future__ import annotations

from arangopipe.errors import ArangopipeError, StoreUnavailable
from arangopipe.model import times
from arangopipe.model.graph import Batch
from arangopipe.model.ids import uuid7
from arangopipe.spool.files import REFUSED, Entry, File, Writer
from arangopipe.spool.replay import hindrance, written


class OwnSpool:
    """Two files of the spool, made when they are needed.

    `blocked` holds, by process, the ids that the store refused to write; a `Replay` adds to it.
    """

    def __init__(self, url: str) -> None:
        process = uuid7()
        self._url = url
        self._waiting = Writer(url, process)
        self._refusals = Writer(url, process, REFUSED)
        self._refused: set[str] = set()
        self.blocked = {process: self._refused}

    @property
    def file(self) -> File | None:
        """The file with what waits, if there is one."""
        return self._waiting.file

    def hindrance(self, batch: Batch) -> str:
        """Return what a batch refers to that was refused, in words; "" where it is free."""
        return hindrance(batch, self._refused) if self._refused else ""

    def append(self, batch: Batch, why: str, refused: bool) -> Entry:
        """Keep a batch and return what was kept; raises `StoreUnavailable` where that cannot be."""
        writer = self._refusals if refused else self._waiting
        try:
            entry = writer.append(Entry(self._url, times.now(), why, batch))
        except (OSError, ArangopipeError) as error:
            raise StoreUnavailable(f"{why}; it cannot be kept in the spool either: {error}") from error
        if refused:
            self._refused.update(written(batch))
        return entry

    def is_worked_off(self) -> bool:
        """Whether the file with what waits has been replayed and removed; then it is left."""
        if self.file is None or self.file.path.exists():
            return False
        self._waiting.close()
        return True

    def close(self) -> None:
        """Leave the files to whoever replays them."""
        self._waiting.close()
        self._refusals.close()
