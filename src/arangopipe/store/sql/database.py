"""What the store asks of a database: read and write transactions, whatever the driver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from arangopipe.errors import StoreError
from arangopipe.store.abilities import Rows
from arangopipe.store.sql.dialect import Cursor, Dialect

BUSY_SECONDS = 60.0
"""How long a writer waits for others where nobody says."""

T = TypeVar("T")


class Clash(StoreError):
    """A unique index objected to what was to be written."""


class Database(ABC):
    """One database: its connections, read and write transactions, errors in words."""

    url: str
    dialect: Dialect

    @abstractmethod
    def read(self, one: bool = False) -> AbstractContextManager[Cursor]:
        """Give a cursor inside one read transaction, so that all it reads is of one moment.

        With `one`, one statement is read, beside texts of terms, which never change.
        """

    @abstractmethod
    def reading(self) -> AbstractContextManager[None]:
        """Tell what goes wrong with a read in errors of Arangopipe, as `read` does."""

    @abstractmethod
    def write(self, work: Callable[[Cursor], T], patience: float | None = None, again: bool = True) -> T:
        """Do work inside the one write transaction; commits, or rolls back on any error.

        Waits up to `patience` seconds for other writers, then for other programs (None: `BUSY_SECONDS`).
        Raises `Clash` where a unique index objects. Work is done anew where the engine asks for it and,
        with `again`, where the connection was lost and nobody knows whether it is done.
        """

    @abstractmethod
    def rewrite(self) -> None:
        """Leave no byte of what was deleted, as far as the engine can."""

    @abstractmethod
    def query(self, sql: str, parameters: Sequence[Any], limit: int, seconds: float) -> Rows:
        """Return what a query that a user wrote finds; nothing but reading is possible."""

    @abstractmethod
    def explain(self, sql: str, parameters: Sequence[Any], seconds: float) -> tuple[str, ...]:
        """Return how such a query would be answered."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection."""
