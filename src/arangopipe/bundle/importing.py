"""Reading a bundle into a store: as it is where the store is empty, else merged with what is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from arangopipe.bundle.format import Bundle, Progress
from arangopipe.bundle.merging import Conflict, Merger
from arangopipe.bundle.places import path_of
from arangopipe.model.graph import Change
from arangopipe.store.abilities import Replica, able
from arangopipe.store.base import Store

CHUNK = 500
"""Changes recorded in one transaction where they are taken over as they are."""

_CHUNK_TEXT = 4_000_000


@dataclass(frozen=True)
class Imported:
    """What an import did: changes that are new here, known already, and where two stores disagreed.

    `verbatim` says that the store now holds the other's changes as they were, its chain included.
    """

    path: str
    store: str
    verbatim: bool
    new: int
    known: int
    conflicts: tuple[Conflict, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-able values."""
        return {**vars(self), "conflicts": [vars(conflict) for conflict in self.conflicts]}


def import_bundle(
    store: Store, path: str | os.PathLike[str], *, actor: str, progress: Progress | None = None
) -> Imported:
    """Record the changes of a bundle that a store does not have yet.

    An empty store takes over a whole bundle as it is. Any other merges it: each change becomes one change by
    `actor` with its origin; one that is known by its batch adds nothing. A file that was cut short or
    altered is refused before anything is recorded; after an interruption, import it again.
    """
    taking = able(store, Replica, "take over changes")
    bundle = Bundle(path_of(path))
    footer = bundle.check()
    total = footer.changes

    def told(changes: Iterable[Change]) -> Iterator[Change]:
        for count, change in enumerate(changes, 1):
            yield change
            if progress is not None and (count % 100 == 0 or count == total):
                progress(count, total)

    where = (str(bundle.path), bundle.header.store)
    known = common(store, bundle.changes()) if bundle.header.whole else None
    if known is not None:
        new = take_over(taking, (change for change in told(bundle.changes()) if change.number > known))
        return Imported(*where, True, new, total - new)
    merger = Merger(store, bundle.header.store, actor, bundle.header.whole)
    merger.merge(told(bundle.changes()))
    return Imported(*where, False, merger.new, merger.known, tuple(merger.conflicts))


def common(store: Store, changes: Iterable[Change]) -> int | None:
    """Return up to which change a store is the same as these; None where it has changes of its own."""
    head = store.head()
    if head is None:
        return 0
    last = 0
    for change in changes:
        last = change.number
        if last == 1 and next(store.changes(limit=1)).chain != change.chain:
            return None
        if last == head.number:
            return last if change.chain == head.chain else None
    here = store.head(last)
    return last if last and here is not None and here.chain == change.chain else None


def take_over(store: Replica, changes: Iterable[Change]) -> int:
    """Record changes as they are, by the chunk, and return how many there were."""
    count = 0
    for chunk in _chunks(changes):
        store.append(chunk)
        count += len(chunk)
    return count


def _chunks(changes: Iterable[Change]) -> Iterator[list[Change]]:
    chunk: list[Change] = []
    size = 0
    for change in changes:
        chunk.append(change)
        size += sum(len(entry.text or "") for entry in change.entries)
        if len(chunk) == CHUNK or size > _CHUNK_TEXT:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
