"""What an error of SQLite or of the file system means for a store, and what to do about it."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from arangopipe.errors import StoreError, StoreUnavailable

_PERMISSIONS = "check the permissions of the file and of its folder"
_FULL = "the disk is full; nothing was written; make room and try again"

_MEANINGS = (
    ("database is locked", StoreUnavailable, "another program keeps the file locked; "
     "close it, or look for one that hangs"),
    ("readonly database", StoreUnavailable, "it, its folder or a file beside it (…-wal, …-shm) cannot be "
     "written; check the permissions, or open a copy of it"),
    ("not a database", StoreError, "this is not an Arangopipe store, or it is damaged; nothing was changed"),
    ("malformed", StoreError, "the file is damaged; keep a copy of it, and restore a backup, or "
     "save what can be read with 'arangopipe export --salvage'"),
    ("disk is full", StoreUnavailable, _FULL),
    ("disk I/O error", StoreUnavailable, "the disk could not be read or written, by a fault, a quota or a "
     "limit on the size of files; nothing was written"),
    ("no such table", StoreError, "this SQLite file is not an Arangopipe store; nothing was changed"),
)  # fmt: skip


def of_sqlite(path: str, error: sqlite3.Error | sqlite3.Warning) -> StoreError:
    """Return what an error of the driver means."""
    said = str(error)
    if "unable to open" in said:
        return StoreUnavailable(f"{path}: {_obstacle(path)} ({said})")
    for words, kind, advice in _MEANINGS:
        if words in said:
            return kind(f"{path}: {advice} ({said})")
    return StoreError(f"{path}: SQLite says: {said}")


def of_system(path: str, error: OSError) -> StoreError:
    """Return what an error of the file system means."""
    said = error.strerror or str(error)
    if isinstance(error, PermissionError):
        return StoreUnavailable(f"{path}: it may not be used; {_PERMISSIONS} ({said})")
    if error.errno == errno.ENOSPC:
        return StoreUnavailable(f"{path}: {_FULL} ({said})")
    return StoreUnavailable(f"{path}: {said}")


def _obstacle(path: str) -> str:
    """Return why a file cannot be opened, and what to do."""
    real = Path(os.path.realpath(path))
    folder = real.parent
    via = f"it is a link to {real}; " if Path(path).is_symlink() else ""
    try:
        if not folder.exists():
            return f"{via}the folder {folder} does not exist; make it first, or correct the address"
        if not folder.is_dir():
            return f"{via}{folder} is a file, not a folder; correct the address"
    except PermissionError:
        pass  # which is what it says below
    return f"{via}it may not be opened; {_PERMISSIONS}"
