"""Copying the file of a store page by page while others write, and putting a copy in its place."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from arangopipe.errors import StoreError
from arangopipe.model import times

PAGES = 1_000
SIDE_FILES = ("-wal", "-shm", "-journal")

Progress = Callable[[int, int | None], object]


def copy_pages(source: sqlite3.Connection, target: Path, progress: Progress | None = None) -> None:
    """Copy a database as one moment saw it, though others write: a read transaction holds the moment."""

    def told(_: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress(total - remaining, total)

    try:
        with closing(sqlite3.connect(target)) as connection:
            source.backup(connection, pages=PAGES, progress=told)
    except sqlite3.Error as error:
        raise StoreError(f"{target} could not be written: {error}") from error


def put_in_place(fresh: Path, target: Path) -> Path | None:
    """Move a whole, closed database file to where a store is, and return where the old one is kept.

    Whoever has the old one open goes on with it, under its new name.
    """
    aside = None
    if target.exists():
        _empty_log(target)
        aside = _unused(target)
        os.link(target, aside)
        for side in SIDE_FILES:
            with suppress(FileNotFoundError):
                Path(f"{target}{side}").replace(f"{aside}{side}")
    fresh.replace(target)
    return aside


def _unused(target: Path) -> Path:
    stamp = times.now().strftime("%Y%m%dT%H%M%S.%f")
    return target.with_name(f"{target.name}.before-restore.{stamp}")


def _empty_log(target: Path) -> None:
    """Write what is in the log into the file; of a damaged one that is not possible, nor needed."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(target)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
