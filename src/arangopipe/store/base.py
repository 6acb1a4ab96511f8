"""The store contract: what every engine must do, in words. `testing.StoreContract` checks it.

**Values.** A store takes and gives the frozen values of `model.graph`. It keeps no caller's object and
hands out nothing that is still its own.

**Ids.** A node is known by ``kind/key``, an edge by its kind and both ends. At most one node of a kind has
a given key; at most one *named* node has a given (kind, name, project, version). Names of events
(run, deployment, servingperf) need not be unique.

**Writing.** `write` records one `Batch` whole or not at all, and an acknowledged batch survives loss of
power. Inside its one transaction it

1. returns the first result for a batch id that it has seen;
2. checks that nothing of the kinds and ids in `unchanged` was written or closed after change `since`,
   else `Conflict`: so a batch may rest on what it only read;
3. checks what each put expects. ``absent``: no such node, else `AlreadyExists` (equal content is left
   as it is); ``any``: written over what is there; a number: the node is at that revision, else
   `Conflict` (`NotFound` where there is none). Equal content is never written again;
4. checks that both ends of each edge exist, in the store or in the batch, else `NotFound`; that the
   vocabulary allows it, and that it does not link a thing to itself, else `InvalidInput`. An edge
   that exists is revised if its document differs;
5. closes nodes and edges: a node takes its edges along, and a run its modelparams, devperf and points.
   An id that is not there raises `NotFound`;
6. appends points (the run must exist) and brings the searchable values up to date;
7. takes the next change number, a time not earlier than the last change's, and the next link of the
   audit chain (`model.chain`). A batch that changes nothing takes none and returns the last change.

Numbers follow the order in which changes become visible.

**Reading.** Every read takes `as_of`: None for now, a change number, or a time, which stands for the last
change not later than it. It shows exactly what the store had recorded then, closed things included.
Reads never block writers.

**Searching.** `filters.matches` over the values that `model.attributes.read` finds is the meaning of a
filter; an engine may use any plan that gives the same answer. A run is searched with its modelparams
under ``params`` and its devperf under ``metrics``; where points were logged, ``metrics.x`` is the last of
them by (step, time), and ``metrics.x.min``, ``.max`` and ``.last`` are there too, over finite values. The
words ``key``, ``name``, ``version`` and ``project`` are the node's own, and a first segment that names a
neighbouring kind (``model.technique``) reads the nodes one edge away: any of them may match.

Without an order, events come newest key first, named nodes by name, the newest version first. With one,
missing values sort last in either direction and ties follow the order in which nodes were
created. Paging by cursor neither skips nor repeats a node that does not change meanwhile.

**Walking.** `traverse` goes breadth first over the edges that `Vocabulary.walk` names; each node is given
once, at its least depth; nodes of a leaf kind are expanded only as the start. It ends on any graph.

**Scopes.** What `Scoped.within` returns answers every read of the state (`get`, `owned`, `last_written`,
`find`, `search`, `columns`, `count`, `edges`, `points`) as a store that holds nothing but what the scope
shows (`store.scope`), with the edges between such things. A walk shows the hidden things that it comes to by
kind and key alone, with ``{"redacted": true}`` for their document, and the edges to them bare; it ends there.
Its bounds count what is shown, and hidden things fill what room is left, the nearest first.

**Errors.** Nothing but `arangopipe.errors` leaves a store. A closed store raises `StoreUnavailable`.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path as FilePath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from arangopipe.errors import InvalidInput, PermissionDenied, Unsupported
from arangopipe.model import documents
from arangopipe.model.expressions import Expression, OrderKey
from arangopipe.model.graph import (
    Batch,
    Change,
    Edge,
    EdgeRef,
    EdgeRevision,
    Graph,
    Node,
    Page,
    Point,
    Points,
    Revision,
)
from arangopipe.model.vocabulary import OWNED_BY_RUN, Direction, Vocabulary
from arangopipe.store.scope import Scope

if TYPE_CHECKING:
    from typing_extensions import Self

A = TypeVar("A")

AsOf = int | datetime | None

MAX_PAGE = 10_000
MAX_NODES = 1_000_000
RETRIES = 20
"""How often who rests on what was read tries again because others wrote meanwhile."""


QUERY_SECONDS = 5.0
MOST_QUERY_SECONDS = 30.0
LONGEST_QUERY = 100_000
"""Bounds of a native query: seconds it takes by default and at most, and its characters."""


class Store(ABC):
    """A place where the metadata graph is kept. The module's text is the specification."""

    url: str
    """The address that opens this store again, without secrets."""

    restricted: bool = False
    """Whether it shows only what its reader may see, so that it is neither whole nor can be verified."""

    exports: Collection[str] = ()
    """The projects that its reader may export, where it shows only a part."""

    @abstractmethod
    def write(self, batch: Batch, patience: float | None = None) -> Change:
        """Record one batch, all or nothing, and return its change (without entries).

        Whoever has `patience` waits about so many seconds for each of those who keep the batch from being
        written, then `StoreUnavailable` is raised; None leaves that to the engine.
        """

    @abstractmethod
    def head(self, as_of: AsOf = None) -> Change | None:
        """Return the last change (not later than `as_of`), or None where nothing is recorded."""

    @abstractmethod
    def get(self, ids: Sequence[str], as_of: AsOf = None) -> tuple[Node | None, ...]:
        """Return the node of each id, None where there is none, in the order asked."""

    def owned(self, runs: Sequence[str], as_of: AsOf = None) -> dict[str, tuple[str, str]]:
        """Return, by key of a run, the texts of its modelparams and devperf, ``{}`` where it has none."""
        nodes = self.get([f"{kind}/{key}" for kind in OWNED_BY_RUN for key in runs], as_of)
        texts = [documents.EMPTY if node is None else node.text for node in nodes]
        count = len(runs)
        return dict(zip(runs, zip(texts[:count], texts[count:], strict=True), strict=True))

    @abstractmethod
    def last_written(self, runs: Sequence[str], as_of: AsOf = None) -> dict[str, datetime]:
        """Return, by key of a run, the time of the last change that wrote it, its modelparams, its devperf or
        points of it; nothing of what is not there.
        """

    @abstractmethod
    def find(self, kind: str, name: str, project: str | None = None, as_of: AsOf = None) -> tuple[Node, ...]:
        """Return all nodes of that name, the newest first; `project` "" means shared ones, None all."""

    def one_moment(self) -> contextlib.AbstractContextManager[None]:
        """Have all that this thread reads within be of one moment, where the engine can do that at all."""
        return contextlib.nullcontext()

    def called(self, kind: str, text: str, as_of: AsOf = None) -> tuple[Node, ...]:
        """Return the node of that key or, where there is none, all nodes of that name, the newest first."""
        (node,) = self.get([f"{kind}/{text}"], as_of)
        return self.find(kind, text, as_of=as_of) if node is None else (node,)

    @abstractmethod
    def search(
        self,
        kind: str,
        where: Expression | None = None,
        order: Sequence[OrderKey] = (),
        limit: int = 100,
        cursor: str | None = None,
        as_of: AsOf = None,
    ) -> Page:
        """Return up to `limit` (1 to 10,000) nodes that match, and the cursor to what follows."""

    @abstractmethod
    def columns(
        self,
        kind: str,
        paths: Sequence[str],
        where: Expression | None = None,
        as_of: AsOf = None,
        links: Sequence[str] = (),
        documents: bool = False,
    ) -> Iterator[dict[str, list[Any]]]:
        """Stream equal-length columns of what matches, in chunks: ``id``, one per path, and one per kind of
        edge in `links`.

        A cell is None where the path is missing or is not one scalar. In a column of links it is a sorted
        tuple of (id of the other end, document of the edge as text), in either direction. With `documents`
        the last column, ``document``, is the whole document as text.
        """

    @abstractmethod
    def count(
        self, kind: str, where: Expression | None = None, by: str | None = None, as_of: AsOf = None
    ) -> dict[Any, int]:
        """Return how many nodes match: ``{None: n}``, or a count for each value of the path `by`.

        A node without one scalar at `by` counts under None.
        """

    @abstractmethod
    def edges(
        self,
        ids: Sequence[str],
        kinds: Sequence[str] = (),
        limit: int = MAX_PAGE,
        as_of: AsOf = None,
    ) -> tuple[Edge, ...]:
        """Return the edges, walked or not, that touch any of these nodes, in either direction."""

    @abstractmethod
    def traverse(
        self,
        start: Sequence[str],
        direction: Direction,
        depth: int | None = None,
        limit: int = MAX_NODES,
        as_of: AsOf = None,
    ) -> Graph:
        """Walk from `start` (each must exist, else `NotFound`) up to `depth` edges and `limit` nodes."""

    @abstractmethod
    def points(self, run: str, name: str | None = None, as_of: AsOf = None) -> dict[str, list[Point]]:
        """Return the points of a run's metrics, or of one, by (step, time, order of arrival)."""

    @abstractmethod
    def revisions(self, node: str) -> tuple[Revision, ...]:
        """Return every state a node had, the oldest first; () where there never was one."""

    @abstractmethod
    def changes(self, after: int = 0, limit: int | None = None, entries: bool = False) -> Iterator[Change]:
        """Stream the changes after a number in order, with their rows if `entries`."""

    @abstractmethod
    def close(self) -> None:
        """Release connections; closing twice is harmless."""

    def vocabulary(self, reload: bool = False) -> Vocabulary:
        """Return the kinds this store knows; `reload` looks for own kinds that others have added."""
        if reload or self._vocabulary is None:
            own = [node for page in self._own_kinds() for node in page]
            self._vocabulary = Vocabulary.of_store((node.name, node.document) for node in own)
        return self._vocabulary

    _vocabulary: Vocabulary | None = None

    def _own_kinds(self) -> Iterator[tuple[Node, ...]]:
        cursor = None
        while True:
            page = self.search("kinds", limit=MAX_PAGE, cursor=cursor)
            yield page.items
            if (cursor := page.cursor) is None:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"


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
    def backups(self) -> tuple[FilePath, ...]:
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
    def backup(self, path: FilePath, progress: Callable[[int, int | None], object] | None = None) -> None:
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


def check_query(sql: object, timeout: object) -> str:
    """Return the text of a query, or raise `InvalidInput` for what is none, or has no time it may take."""
    if not isinstance(sql, str) or not sql.strip().rstrip(";") or "\0" in sql:
        raise InvalidInput(f"a query is a text of SQL, not {sql!r:.80}")
    if len(sql) > LONGEST_QUERY:
        raise InvalidInput(f"a query has at most {LONGEST_QUERY:,} characters, not {len(sql):,}")
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if not number or not 0 < timeout <= MOST_QUERY_SECONDS:  # type: ignore[operator]
        raise InvalidInput(f"timeout is {timeout!r}: seconds above 0, at most {MOST_QUERY_SECONDS:g}")
    return sql.strip().rstrip(";")


def check_whole(store: Store, what: str) -> None:
    """Raise `PermissionDenied` for what takes a whole store, where only a part of it is shown."""
    if store.restricted:
        raise PermissionDenied(f"to {what} takes the whole store: an administrator of it may")


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


def check_export(store: Store, project: str | None) -> None:
    """Raise `PermissionDenied` for an export that a store which shows only a part does not allow."""
    if not store.restricted or project in store.exports:
        return
    if project is None:
        own = ", ".join(sorted(store.exports))
        rest = f"; name a project that you may export: {own}" if own else ""
        raise PermissionDenied(f"to export the whole store takes an administrator of it{rest}")
    raise PermissionDenied(f"to export project {project!r} takes a maintainer of it, or more")


def check_page(limit: int) -> None:
    """Raise `InvalidInput` for what is no page size."""
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_PAGE:
        raise InvalidInput(f"limit is {limit!r}: a page has 1 to {MAX_PAGE:,} items")


def check_bound(what: str, value: int, least: int) -> None:
    """Raise `InvalidInput` for what is no whole number from `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidInput(f"{what} is {value!r}: it must be a whole number from {least}")


def check_switch(what: str, value: object) -> bool:
    """Return whether a switch is on, or raise `InvalidInput` for what is neither on nor off."""
    try:
        return bool(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{what} is {value!r:.80}: it must be True or False") from error
