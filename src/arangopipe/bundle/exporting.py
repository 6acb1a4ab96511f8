"""Writing a store, a part of it, or a project of it into one file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from arangopipe.bundle.cutting import Cut
from arangopipe.bundle.format import Header, Progress, packed, write
from arangopipe.bundle.places import check_free, path_of
from arangopipe.model import times
from arangopipe.model.graph import Change
from arangopipe.model.ids import check_name
from arangopipe.store.base import Store, check_export, last_number

_STEP = 100


@dataclass(frozen=True)
class Exported:
    """What an export wrote: where, how much of which changes, and the identity of their store."""

    path: str
    store: str
    changes: int
    entries: int
    first: int
    last: int
    whole: bool
    project: str | None
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-able values."""
        return dict(vars(self))


def export(
    store: Store,
    path: str | os.PathLike[str],
    *,
    project: str | None = None,
    since: datetime | int | None = None,
    until: datetime | int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the changes of a store into a bundle: all, those of a project, those of a span of time.

    `since` and `until` are times or change numbers, both inclusive. Memory stays bounded; of a project it
    grows with the number of its things. The file appears under its name when it is whole. Of a store that
    shows only a part, a maintainer of a project may export that, as far as it is shown; otherwise
    `PermissionDenied` is raised.
    """
    check_export(store, project)
    target = path_of(path)
    check_free(target, overwrite, store.url)
    header, changes = _parts(store, project, since, until, progress)
    footer = write(target, header, changes)
    return Exported(
        str(target),
        header.store,
        footer.changes,
        footer.entries,
        header.first,
        header.last,
        header.whole,
        project,
        target.stat().st_size,
    )


def stream(
    store: Store,
    *,
    project: str | None = None,
    since: datetime | int | None = None,
    until: datetime | int | None = None,
) -> Iterator[bytes]:
    """Return the bytes of the bundle that `export` would write, piece by piece."""
    return packed(*_parts(store, project, since, until))


def _parts(
    store: Store,
    project: str | None,
    since: datetime | int | None,
    until: datetime | int | None,
    progress: Progress | None = None,
) -> tuple[Header, Iterator[Change]]:
    """Return the header and the changes of a bundle."""
    first, last = _span(store, since, until)
    cut = None if project is None else Cut.to_project(store, check_name(project, "project"), last)
    found = store.changes(first - 1, max(last - first + 1, 0), entries=True)
    whole = cut is None and first == 1
    made = times.to_text(times.now())
    header = Header(identity(store), first, last, whole, project, made, _version())
    changes = found if cut is None else cut.changes(found)
    return header, _counted(changes, progress, first, last)


def identity(store: Store) -> str:
    """Return by what a store is known: the start of the first link of its chain, "" for an empty one."""
    first = next(store.changes(limit=1), None)
    return "" if first is None else first.chain[:16]


def _span(store: Store, since: datetime | int | None, until: datetime | int | None) -> tuple[int, int]:
    """Return the first and last number of the changes that are asked for."""
    first = since if isinstance(since, int) else 1
    if isinstance(since, datetime):
        first = last_number(store, since - timedelta(microseconds=1)) + 1
    return max(first, 1), last_number(store, until)


def _counted(changes: Iterable[Change], progress: Progress | None, first: int, last: int) -> Iterator[Change]:
    """Pass changes through and tell how far they have come."""
    for change in changes:
        yield change
        if progress is not None and (change.number % _STEP == 0 or change.number == last):
            progress(change.number - first + 1, last - first + 1)


def _version() -> str:
    from arangopipe import __version__

    return __version__
