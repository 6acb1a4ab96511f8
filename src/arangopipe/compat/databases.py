"""The databases of old code: where each is kept, opening it, and which one was the last.

An old database ``N`` is the file ``$ARANGOPIPE_HOME/databases/N.db``, or the store at ARANGOPIPE_LEGACY_URL
with ``{database}`` replaced by ``N``. Hosts, ports and passwords of old configurations are kept with
them and mean nothing here.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from arangopipe.errors import InvalidInput, NotFound, StoreUnavailable, Unsupported
from arangopipe.outbox import Outbox
from arangopipe.pipe import ArangoPipe
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.store.settings import disabled, home

DEFAULT_NAME = "arangopipe"

_logger = logging.getLogger("arangopipe_logger")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}\Z")
_lock = threading.RLock()
_open: weakref.WeakValueDictionary[tuple[str, str], ArangoPipe] = weakref.WeakValueDictionary()
_in_memory: list[ArangoPipe] = []
_said: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class Database:
    """One old database, opened when it is first used; `path` is None where it is no file of ours."""

    name: str
    url: str
    path: Path | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"database {self.name!r} ({self.url})"

    @property
    def pipe(self) -> ArangoPipe:
        """Today's API to it; all who use one database in a process share one store.

        The store is closed when nobody holds what this returns.
        """
        with _lock:
            pipe = _open.get(self._place)
            if pipe is not None and self.exists():
                return pipe
            self._forget()
            return self._opened()

    def exists(self) -> bool:
        """Whether it was created; of one that is no file, only opening it tells."""
        if self.path is not None:
            return self.path.exists()
        return not disabled() or self._place in _open

    def delete(self) -> None:
        """Remove it and all that it holds."""
        if self.path is None:
            raise Unsupported(f"database {self.name!r} is kept at {self.url}: delete it there")
        with _lock:
            self._forget()
            for path in (self.path, *self.path.parent.glob(f"{self.name}.db-*")):
                path.unlink(missing_ok=True)

    @property
    def _place(self) -> tuple[str, str]:
        return self.name, self.url

    def _forget(self) -> None:
        pipe = _open.pop(self._place, None)
        if pipe is not None:
            _close(pipe.store, pipe.outbox)

    def _opened(self) -> ArangoPipe:
        if self.path is not None:
            _make_folder(self.path.parent)
        pipe = _open[self._place] = ArangoPipe(open_store(self.url))
        if self.url.startswith("memory:"):
            _in_memory.append(pipe)
        weakref.finalize(pipe, _close, pipe.store, pipe.outbox)
        pipe.outbox.catch_up()
        if self._place not in _said:
            _said.add(self._place)
            print(f"Arangopipe database {self.name!r}: {pipe.store.url}")  # noqa: T201 — it always spoke up
        if not disabled():
            _note_last(self.name)
        return pipe


def _close(store: Store, outbox: Outbox) -> None:
    store.close()
    outbox.close()


def database(name: str) -> Database:
    """Return the old database of that name, whether it is there or not."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise InvalidInput(
            f"database name {name!r} cannot be used: up to 64 letters, digits, _ or -, the first no -"
        )
    return Database(name, "memory://") if disabled() else _kept(name)


def _kept(name: str) -> Database:
    if url := os.environ.get("ARANGOPIPE_LEGACY_URL"):
        return Database(name, url.replace("{database}", name))
    path = folder() / f"{name}.db"
    return Database(name, f"sqlite:///{quote(str(path))}", path)


def new_name() -> str:
    """Return the name of a database that no one else has."""
    return f"ML{secrets.token_hex(12)}"


def folder() -> Path:
    """Return the folder of the old databases that are files."""
    return home() / "databases"


def every() -> list[Database]:
    """Return the old databases that are files, by name."""
    return [_kept(path.stem) for path in sorted(folder().glob("*.db")) if _NAME.match(path.stem)]


def last() -> Database:
    """Return the old database that was last connected to, or raise `NotFound`."""
    try:
        return _kept(_note().read_text("utf-8").strip())
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            "no old database has been connected to yet: run code written for Arangopipe 0.0.x first, "
            "or name a store"
        ) from None


def _note_last(name: str) -> None:
    try:
        write_private(_note(), name)
    except StoreUnavailable as error:  # a store elsewhere can be used all the same
        _logger.warning("'--store legacy' will not find this database: %s", error)


def _note() -> Path:
    """Return the file that holds the name of the database that was last connected to."""
    return home() / "last_database"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    _make_folder(path.parent)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        draft.touch(0o600)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StoreUnavailable(f"{path} cannot be written ({error.strerror}): set ARANGOPIPE_HOME") from error


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be made ({error.strerror}): set ARANGOPIPE_HOME") from error
