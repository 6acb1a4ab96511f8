"""From the spool into the store: in order, each batch exactly once, whatever ends in the middle of it.

A batch id that the store has seen is a no-op, so a replay that was killed is simply done again. What the
store refuses stays, with the reason, and so does whatever refers to what was refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from arangopipe.errors import AlreadyExists, ArangopipeError, Conflict, StoreError
from arangopipe.model import documents
from arangopipe.model.graph import Batch, Node, Put
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.spool.files import REFUSED, Entry, File, parsed
from arangopipe.store.base import RETRIES, Store

Known = MutableMapping[str, Node | None]


def record(store: Store, batch: Batch, known: Known | None = None) -> tuple[Node, ...]:
    """Write a batch and return the nodes it puts, as recorded.

    Puts that expect "any" hold attributes to be laid over what is there, whatever others wrote
    meanwhile; a run that is gone is not made anew. `known` holds nodes as they were seen last (None: not
    there), and is brought up to date.
    """
    known = {} if known is None else known
    over = [node.id for node, expect in batch.puts if expect == "any"]
    _look(store, [node_id for node_id in over if node_id not in known], known)
    for attempt in range(RETRIES):
        whole = _laid_over(batch, known) if over else batch
        try:
            change = store.write(whole)
            break
        except (AlreadyExists, Conflict):
            if not over or attempt == RETRIES - 1:
                raise
            _look(store, over, known)
    nodes = tuple(node._replace(revision=change.number) for node, _ in whole.puts)
    known.update((node.id, node) for node in nodes)
    return nodes


def _look(store: Store, ids: list[str], known: Known) -> None:
    if ids:
        known.update(zip(ids, store.get(ids), strict=True))


def _laid_over(batch: Batch, known: Known) -> Batch:
    return replace(batch, puts=tuple(_whole(put, known.get(put.node.id)) for put in batch.puts))


def _whole(put: Put, there: Node | None) -> Put:
    if put.expect != "any":
        return put
    if there is None:
        # No node is at revision 0: the store says that the run is gone.
        return put._replace(expect=0 if put.node.kind == "run" else "absent")
    text = documents.dump({**there.document, **put.node.document})
    return Put(there._replace(text=text), there.revision)


@dataclass
class Replay:
    """One replay into a store, and what came of it.

    `again` tries what was refused again. `progress` is called after each batch.
    `blocked` holds, by process, the ids that it was refused to write. `failure` is the error of the store
    that ended the replay.
    """

    store: Store
    again: bool = False
    progress: Callable[[], object] | None = None
    recorded: int = 0
    reasons: list[str] = field(default_factory=list)
    blocked: dict[str, set[str]] = field(default_factory=dict)
    failure: Exception | None = None

    def file(self, file: File, own: AbstractContextManager[object] | None = None) -> bool:
        """Replay one file, unless another process holds it; return False where the store failed.

        `own` is the lock of whoever appends to it in this process; it is held as the file is removed.
        """
        if file.refused and not self.again:
            return True
        blocked = self.blocked.setdefault(file.process, set())
        try:
            if own is not None:
                with file.path.open("rb") as stream:
                    return self._stream(file, stream, blocked, own)
            with file.locked() as locked:
                return locked is None or self._stream(file, locked, blocked, nullcontext())
        except OSError as error:
            self.failure = error
            return False

    def _stream(
        self, file: File, stream: BinaryIO, blocked: set[str], own: AbstractContextManager[object]
    ) -> bool:
        left = file.path.with_suffix(f"{REFUSED}.new")
        with left.open("wb") as kept:
            while True:
                place = stream.tell()
                if (raw := stream.readline()).endswith(b"\n"):
                    if not self._settle(raw, kept, blocked):
                        left.unlink(missing_ok=True)
                        return False
                    if self.progress is not None:
                        self.progress()
                    continue
                with own:  # nothing can be appended now: what came last is seen, and the file may go
                    stream.seek(place)
                    if not stream.readline().endswith(b"\n"):
                        _finish(file, left, kept)
                        return True
                stream.seek(place)

    def _settle(self, raw: bytes, kept: BinaryIO, blocked: set[str]) -> bool:
        """Record one line, or keep it with the reason; return False where the store failed."""
        entry = parsed(raw)
        try:
            refusal = self._refusal(entry, blocked)
        except StoreError as error:
            self.failure = error
            return False
        if refusal is None:
            self.recorded += 1
            return True
        self.reasons.append(refusal)
        if entry.batch is not None:
            blocked.update(written(entry.batch))
            raw = replace(entry, why=refusal).line()
        kept.write(raw)
        return True

    def _refusal(self, entry: Entry, blocked: set[str]) -> str | None:
        """Record a batch, or return why it cannot be."""
        batch = entry.batch
        if batch is None:
            return entry.why
        if why := hindrance(batch, blocked):
            return why
        if not (batch.puts or batch.edges or batch.closes or batch.points):
            return None  # nothing but points that found no room in the spool
        try:
            record(self.store, batch)
        except StoreError:
            raise
        except Exception as error:  # what no store can take must not hold up the rest
            return str(error) if isinstance(error, ArangopipeError) else repr(error)
        return None


def hindrance(batch: Batch, blocked: set[str]) -> str:
    """Return what a batch refers to that could not be recorded, in words; "" where it is free."""
    ends = (end for edge in batch.edges for end in (edge.source, edge.target))
    found = next((node_id for node_id in (*written(batch), *ends) if node_id in blocked), None)
    return "" if found is None else f"it refers to {found}, which could not be recorded"


def written(batch: Batch) -> Iterator[str]:
    """Yield the ids of what a batch writes; what a run owns counts as that run."""
    for node, _ in batch.puts:
        yield f"run/{node.key}" if node.kind in OWNED_BY_RUN else node.id
    yield from (points.run for points in batch.points)


def _finish(file: File, left: Path, kept: BinaryIO) -> None:
    """Put what was refused in the place of a file that was worked off."""
    kept.flush()
    if kept.tell():
        os.fsync(kept.fileno())
        target = file.path.with_suffix(REFUSED)
        left.replace(target)
        if target == file.path:
            return
    else:
        left.unlink(missing_ok=True)
    file.path.unlink(missing_ok=True)
