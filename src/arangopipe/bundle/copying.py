"""Copying one store into another, whatever their engines: resumable, verified, and harmless to repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from arangopipe.bundle.exporting import identity
from arangopipe.bundle.format import Progress
from arangopipe.bundle.importing import take_over
from arangopipe.bundle.merging import Conflict as Disagreement
from arangopipe.bundle.merging import Merger
from arangopipe.errors import Conflict, InvalidInput, StoreError
from arangopipe.model.graph import Change
from arangopipe.store.abilities import Replica, able
from arangopipe.store.base import Store, check_whole, last_number

_SAMPLES = 100


@dataclass(frozen=True)
class Copied:
    """What a copy did: changes new to the target and known there, and what was compared in the end."""

    source: str
    target: str
    verbatim: bool
    new: int
    known: int
    compared: int
    conflicts: tuple[Disagreement, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-able values."""
        return {**vars(self), "conflicts": [vars(conflict) for conflict in self.conflicts]}


def copy(
    source: Store, target: Store, *, actor: str, merge: bool = False, progress: Progress | None = None
) -> Copied:
    """Record in one store what another holds at this moment, as it is.

    What the target has already is passed over, so an interrupted copy goes on where it stopped. In the end
    heads, counts and samples are compared; raises `StoreError` where they differ. A target with changes of
    its own raises `Conflict`, before anything is recorded, unless it is to `merge` them.
    """
    if source.url == target.url:
        raise InvalidInput(f"{source.url} is the store to copy and the one to copy to: name two")
    check_whole(source, "copy a store")
    taking = able(target, Replica, "take over changes")
    total = last_number(source)
    known = _common(source, target, total)

    def told(changes: Iterator[Change]) -> Iterator[Change]:
        for change in changes:
            yield change
            if progress is not None and (change.number % 100 == 0 or change.number == total):
                progress(change.number, total)

    if known is not None:
        new = take_over(taking, told(source.changes(known, total - known, entries=True)))
        compared = _compare(source, target, total)
        return Copied(source.url, target.url, True, new, total - new, compared)
    if not merge:
        raise Conflict(
            f"{target.url} holds changes that {source.url} does not have: copy into a store that is empty "
            "or a copy of it, or merge the two (--merge; merge=True in Python)"
        )
    merger = Merger(target, identity(source), actor)
    merger.merge(told(source.changes(0, total, entries=True)))
    conflicts = tuple(merger.conflicts)
    return Copied(source.url, target.url, False, merger.new, merger.known, 0, conflicts)


def _common(source: Store, target: Store, total: int) -> int | None:
    """Return up to which change the stores are the same; None where the target has changes of its own."""
    there = target.head()
    if there is None:
        return 0
    shared = min(there.number, total)
    one, other = source.head(shared), target.head(shared)
    return shared if one is not None and other is not None and one.chain == other.chain else None


def _compare(source: Store, target: Store, last: int) -> int:
    """Compare what two stores hold up to a change: the chain, counts of each kind, and samples of nodes."""
    one, other = source.head(last), target.head(last)
    if (one and one.chain) != (other and other.chain):
        raise StoreError(f"{target.url} differs from {source.url}: their chains end differently")
    compared = 0
    for kind in source.vocabulary(reload=True).nodes:
        found = source.search(kind, limit=_SAMPLES, as_of=last).items
        ids = [node.id for node in found]
        if source.count(kind, as_of=last) != target.count(kind, as_of=last) or target.get(ids, last) != found:
            raise StoreError(f"{target.url} differs from {source.url} in what it holds of {kind}")
        compared += len(found)
    return compared
