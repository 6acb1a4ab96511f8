"""Backups: the file of a store, copied while others write, verified, and put back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arangopipe import audit
from arangopipe.bundle.format import Progress
from arangopipe.bundle.places import beside, check_free, file_of, path_of
from arangopipe.errors import InvalidInput, StoreError, Unsupported
from arangopipe.store import open_store
from arangopipe.store.abilities import Backup
from arangopipe.store.base import Store
from arangopipe.store.settings import url_of


@dataclass(frozen=True)
class Backed:
    """A backup, or a store restored from one: where, up to which change, and where an old one is kept."""

    path: str
    changes: int
    head: str | None
    bytes: int
    kept: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-able values."""
        return dict(vars(self))


def backup(
    store: Store,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Backed:
    """Copy a store into a file while others write, verify the copy, and move it to its name.

    The copy holds all that was acknowledged before it began. It is a store itself: open it to read it.
    `progress` is told of pages as they are copied, then of changes as they are verified.
    """
    if not isinstance(store, Backup):
        raise Unsupported(f"{store.url} cannot copy itself into a file: use 'arangopipe export'")
    target = path_of(path).absolute()
    check_free(target, overwrite, store.url)
    with beside(target) as part:
        store.backup(part, progress)
        found = _verified(part, progress)
        part.replace(target)
    return Backed(str(path), found.changes, found.head, target.stat().st_size)


def restore(
    path: str | os.PathLike[str],
    url: str,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> Backed:
    """Put a backup where a store is to be; one that is there already is kept beside it under `force`.

    The backup is copied and verified first; a damaged one changes nothing.
    """
    from arangopipe.store.sql import backups

    source = path_of(path)
    target = file_of(url, "restore into a file, and use 'arangopipe copy' from there")
    if not source.is_file():
        raise InvalidInput(f"there is no file {source}")
    if target.exists() and not force:
        raise InvalidInput(f"there is a store at {target} already: restore elsewhere, or pass --force")
    with beside(target) as part:
        with open_store(url_of(source.absolute())) as store:
            if not isinstance(store, Backup):
                raise Unsupported(f"{source} is no file of a store")
            store.backup(part, progress)
        found = _verified(part, progress)
        kept = backups.put_in_place(part, target)
    size = target.stat().st_size
    return Backed(str(target), found.changes, found.head, size, None if kept is None else str(kept))


def _verified(path: Path, progress: Progress | None) -> audit.Verification:
    with open_store(url_of(path.absolute())) as copy:
        found = audit.verify(copy, progress)
    if not found.ok:
        raise StoreError(f"the copy is not intact, and was not kept: {found}")
    return found
