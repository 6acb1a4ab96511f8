"""What not every store can do, each as a class asked for by `isinstance`, or by `able`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from arangopipe.errors import InvalidInput, PermissionDenied, Unsupported
from arangopipe.model.graph import Batch, Change, Edge, EdgeRef, EdgeRevision, Node, Points
from arangopipe.store.base import Store
from arangopipe.store.scope import Scope

A = TypeVar("A")

QUERY_SECONDS = 5.0
MOST_QUERY_SECONDS = 30.0
LONGEST_QUERY = 100_000
"""Bounds of a native query: seconds it takes by default and at most, and its characters."""


class Maintenance(ABC):
    """Ability: check and mend what a store derives, and remove bytes for good."""

    @abstractmethod
    def check(self) -> Iterator[str]:
        """Yield, in words, each thing in which the store's own structures disagree."""

    @abstractmethod
    def erase(
        self, ids: Sequence[str], actor: str, reason: str, unchanged: Sequence[str] = (), since: int = 0
    ) -> Change:
        """Remove name, document and salt of every revision of these nodes; digests and edges stay.

        `unchanged` and `since` are those of a batch.
        """


class Condition(NamedTuple):
    """One thing that is well, or not, with how a store is kept, and what to do about it."""

    name: str
    state: Literal["ok", "warn", "fail"]
    said: str
    advice: str = ""


class TableSize(NamedTuple):
    """How many rows a table has, and how many bytes with its indexes (None: unknown)."""

    name: str
    rows: int
    bytes: int | None


class Size(NamedTuple):
    """How many bytes a store takes, how many points of metrics are in it, and its tables."""

    bytes: int
    points: int
    tables: tuple[TableSize, ...] = ()


class Inspection(ABC):
    """Ability of an engine: tell how a store is kept, without creating, upgrading or writing it."""

    @abstractmethod
    def schema(self) -> tuple[str | None, str]:
        """Return the schema the store has, None where it has none yet, and the one this version writes."""

    @abstractmethod
    def size(self, tables: bool = False) -> Size:
        """Return how large the store is; with `tables`, each table with its indexes."""

    @abstractmethod
    def backups(self) -> tuple[Path, ...]:
        """Return the copies that upgrades left, the oldest first."""

    @abstractmethod
    def conditions(self) -> Iterator[Condition]:
        """Yield what is well and what is not with what surrounds the store."""


class Adoption(NamedTuple):
    """A batch to adopt; `past` are states that go into the history as superseded by this very change."""

    batch: Batch
    past: Sequence[Node | Edge | Points] = ()


class Replica(ABC):
    """Ability: take over the changes of another store."""

    @abstractmethod
    def append(self, changes: Sequence[Change]) -> None:
        """Record changes (with entries) as another store did, all or nothing: as they are, to the byte.

        They must follow on the last change of this store, else `StoreError`, as where their rows do not
        give their digests. Afterwards this store answers as the other did at that change.
        """

    @abstractmethod
    def adopt(self, adoptions: Sequence[Adoption]) -> None:
        """Record batches that another store recorded first (their `origin`), all or nothing.

        Each becomes a change, also one without effect here; one that is known is passed over. The time of
        each is later than that of its origin, so that what is written here from now on is later too.
        """

    @abstractmethod
    def numbers(self, batches: Sequence[str]) -> dict[str, int]:
        """Return the numbers of the changes that these batches made here."""

    @abstractmethod
    def edge_revisions(self, ref: EdgeRef) -> tuple[EdgeRevision, ...]:
        """Return every state an edge had, the oldest first and the current one last."""

    @abstractmethod
    def ever_linked(self, node: str) -> tuple[EdgeRef, ...]:
        """Return every edge that a node ever had."""


class Backup(ABC):
    """Ability: copy itself as it is at one moment, while others write."""

    @abstractmethod
    def backup(self, path: Path, progress: Callable[[int, int | None], object] | None = None) -> None:
        """Write a new store to a path that is free; `progress` is told how much of how much is copied."""


class Scoped(ABC):
    """Ability: show a part, by projects, as if there were nothing else."""

    @abstractmethod
    def within(self, scope: Scope) -> Store:
        """Return this store as far as a scope shows it, to be read.

        Its vocabulary, its last change and its history are the whole store's.
        """

    @abstractmethod
    def touched(self, scope: Scope, numbers: Sequence[int]) -> set[int]:
        """Return which of some changes wrote, closed or erased what a scope shows, as it was then."""


class Announcing:
    """Ability: tell what is written through this very object, before whoever writes it goes on."""

    _listeners: tuple[Callable[[Batch | None], object], ...] = ()

    def listen(self, listener: Callable[[Batch | None], object]) -> None:
        """Tell a function each batch that may have been written; None: it may be anything."""
        self._listeners = (*self._listeners, listener)

    def announce(self, batch: Batch | None) -> None:
        """Tell all who listen."""
        for listener in self._listeners:
            listener(batch)


class Rows(NamedTuple):
    """What a query found: names of columns, rows of values, and whether there would have been more.

    What JSON has no value for is a text: bytes as ``\\x00ff``, times as ISO 8601, numbers not finite.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool


class NativeQuery(ABC):
    """Ability: answer read-only queries in SQL."""

    @abstractmethod
    def query(
        self, sql: str, parameters: Sequence[Any] = (), limit: int = 1_000, timeout: float = QUERY_SECONDS
    ) -> Rows:
        """Return up to `limit` (1 to 10,000) rows, and of all their texts at most 8 MiB.

        Nothing but one statement that reads is run; anything else, and what is wrong with it, raises
        `InvalidInput`, as does one that takes longer than `timeout` seconds (at most 30). Placeholders of
        `parameters` are those of the engine: ``?`` in SQLite, ``$1`` in PostgreSQL.
        """

    @abstractmethod
    def explain(
        self, sql: str, parameters: Sequence[Any] = (), timeout: float = QUERY_SECONDS
    ) -> tuple[str, ...]:
        """Return, line by line, how the engine would answer."""


def able(store: Store, ability: type[A], what: str) -> A:
    """Return a store that has an ability.

    Raises `Unsupported` where it has not, `PermissionDenied` where it has not for who asks.
    """
    # A server that was away is asked here, and may turn out to have it.
    restricted = not isinstance(store, ability) and store.restricted
    if isinstance(store, ability):
        return store
    if restricted:
        raise PermissionDenied(f"to {what} takes an administrator of the store")
    raise Unsupported(f"{store.url} cannot {what}")


def check_query(sql: object, timeout: object) -> str:
    """Return the text of a query, or raise `InvalidInput` for what is none, or has no time it may take."""
    if not isinstance(sql, str) or not sql.strip().rstrip(";") or "\0" in sql:
        raise InvalidInput(f"a query is a text of SQL, not {sql!r:.80}")
    if len(sql) > LONGEST_QUERY:
        raise InvalidInput(f"a query has at most {LONGEST_QUERY:,} characters, not {len(sql):,}")
    if not (isinstance(timeout, (int, float)) and 0 < timeout <= MOST_QUERY_SECONDS) or timeout is True:
        raise InvalidInput(f"timeout is {timeout!r}: seconds above 0, at most {MOST_QUERY_SECONDS:g}")
    return sql.strip().rstrip(";")
