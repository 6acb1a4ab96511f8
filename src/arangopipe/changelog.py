"""The changes of a store, found backwards: the newest that are wanted come first."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from arangopipe.details import change_dict
from arangopipe.errors import NotFound
from arangopipe.model.graph import Change
from arangopipe.references import When, moment_of
from arangopipe.session import Session
from arangopipe.store.base import AsOf, Store
from arangopipe.touched import touched

BULK = frozenset({"log runs", "merge", "retain"})
"""Actions that touch thousands of things, which need not be read to be listed."""

_STEP = 500


def unless_bulk(store: Store, change: Change) -> Change:
    """Return a change with its rows; one of `BULK` as it is, without them."""
    return change if change.action in BULK else _whole(store, change)


def _whole(store: Store, change: Change) -> Change:
    return next(store.changes(change.number - 1, limit=1, entries=True), change)


def latest(store: Store, count: int, seconds: float, as_of: AsOf = None) -> list[Change]:
    """Return the last changes, the newest first: with their rows, but for those of `BULK`.

    After so many seconds the others are left without them, too.
    """
    head = store.head(as_of)
    last = [] if head is None else list(store.changes(max(head.number - count, 0), limit=count))
    end = time.monotonic() + seconds
    whole: dict[int, Change] = {}
    for bulk, group in groupby(last, lambda change: change.action in BULK):
        if bulk:
            continue
        numbers = [change.number for change in group]
        for change in store.changes(numbers[0] - 1, limit=len(numbers), entries=True):
            whole[change.number] = change
            if time.monotonic() > end:
                break
    return [whole.get(change.number, change) for change in reversed(last)]


@dataclass(frozen=True)
class Wanted:
    """Which changes are asked for: `things` are ids of what they touched, `reason` is a part of why."""

    actor: str | None = None
    since: When = None
    until: When = None
    kind: str | None = None
    action: str | None = None
    cursor: int | None = None
    as_of: When = None
    things: Sequence[str] | None = None
    reason: str | None = None


def things(pipe: Session, text: str, as_of: When = None) -> list[str]:
    """Return the ids of what a text names: an id, or all versions of a name, in any project.

    Raises `NotFound` for a name that nothing has at that moment; what was deleted is known by its id.
    """
    references = pipe.references(as_of)
    word, mark, name = text.partition(":")
    if "/" in text or not mark:
        return [references.any_id(text)]
    kind = references.kind(word).name
    moment = moment_of(as_of)
    found = pipe.store.find(kind, name, None, moment)
    known, versioned, version = name.rpartition("@")
    if not found and versioned:
        found = tuple(node for node in pipe.store.find(kind, known, None, moment) if node.version == version)
    if not found:
        raise NotFound(f"no {word} is called {name!r}: what was deleted is known by its id, such as {kind}/…")
    return [node.id for node in found]


def find(
    pipe: Session, limit: int, wanted: Wanted, seconds: float = math.inf, bulk: bool = True
) -> tuple[list[Change], int | None]:
    """Return the newest changes that are wanted, and the cursor to older ones.

    They have their rows; without `bulk` those of `BULK` have them only where a kind is asked for. After so
    many seconds it stops, and the cursor leads on to what was not looked at.
    """
    kind = None if wanted.kind is None else pipe.references().kind(wanted.kind).name
    found: list[Change] = []
    end = time.monotonic() + seconds
    for change in _backwards(pipe, _last(pipe, wanted), _numbers(pipe, wanted.things)):
        if _before(change, wanted.since):
            break
        if _fits(change, wanted):
            if len(found) == limit:
                return found, found[-1].number
            every = bulk or kind is not None
            whole = _whole(pipe.store, change) if every else unless_bulk(pipe.store, change)
            if kind is None or any(thing.kind == kind for thing in touched(whole)):
                found.append(whole)
        if time.monotonic() > end and change.number > 1:
            return found, change.number
    return found, None


def _numbers(pipe: Session, things: Sequence[str] | None) -> list[int] | None:
    """Return the changes that wrote or deleted some things; None: all of the store."""
    if things is None:
        return None
    numbers = set()
    for revision in (state for thing in things for state in pipe.store.revisions(thing)):
        numbers.add(revision.change.number)
        if revision.closed_by is not None:
            numbers.add(revision.closed_by.number)
    return sorted(numbers, reverse=True)


def _last(pipe: Session, wanted: Wanted) -> int:
    """Return the number of the last change that may be wanted."""
    heads = [pipe.store.head(moment_of(moment)) for moment in {wanted.until, wanted.as_of, None}]
    last = min((head.number if head is not None else 0) for head in heads)
    return last if wanted.cursor is None else min(last, wanted.cursor - 1)


def _backwards(pipe: Session, last: int, only: Sequence[int] | None) -> Iterator[Change]:
    if only is not None:
        for number in only:
            if number <= last:
                yield from pipe.store.changes(number - 1, limit=1)
        return
    while last > 0:
        first = max(last - _STEP, 0)
        yield from reversed(list(pipe.store.changes(first, limit=last - first)))
        last = first


def _before(change: Change, moment: When) -> bool:
    known = moment_of(moment)
    if known is None:
        return False
    return change.number < known if isinstance(known, int) else change.time < known


def _fits(change: Change, wanted: Wanted) -> bool:
    actors = (None, change.actor, change.origin and change.origin.actor)
    said = wanted.reason is None or wanted.reason.lower() in change.reason.lower()
    return said and wanted.actor in actors and wanted.action in (None, change.action)


def as_json(change: Change) -> dict[str, Any]:
    """Return a change as JSON-able values."""
    counted: dict[str, int] = {}
    for thing in touched(change):
        counted[thing.kind] = counted.get(thing.kind, 0) + 1
    links = {"batch": change.batch, "digest": change.digest, "chain": change.chain}
    return {**change_dict(change), "things": counted, **links}
