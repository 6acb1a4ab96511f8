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
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from arangopipe.errors import InvalidInput, PermissionDenied
from arangopipe.model import documents
from arangopipe.model.expressions import Expression, OrderKey, Path
from arangopipe.model.graph import (
    Batch,
    Change,
    Edge,
    Graph,
    Node,
    Page,
    Point,
    Revision,
)
from arangopipe.model.vocabulary import OWNED_BY_RUN, Direction, Vocabulary

if TYPE_CHECKING:
    from typing_extensions import Self

AsOf = int | datetime | None

AS_CREATED = OrderKey(Path(("_",)))
"""Orders nodes as they were created: no document has this attribute, and so ties follow."""

MAX_PAGE = 10_000
MAX_NODES = 1_000_000
RETRIES = 20
"""How often who rests on what was read tries again because others wrote meanwhile."""


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

    def degree(self, node: str, kind: str, outward: bool, most: int = MAX_PAGE, as_of: AsOf = None) -> int:
        """Return how many edges of a kind lead away from a node (else: to it), counted up to `most`."""
        check_bound("most", most, 1)
        found = self.edges([node], [kind], MAX_NODES, as_of)
        return min(sum(node == (edge.source if outward else edge.target) for edge in found), most)

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
            own = self._own_kinds()
            self._vocabulary = Vocabulary.of_store((node.name, node.document) for node in own)
        return self._vocabulary

    _vocabulary: Vocabulary | None = None

    def _own_kinds(self) -> Iterable[Node]:
        return nodes_of(self, "kinds")

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


def check_whole(store: Store, what: str) -> None:
    """Raise `PermissionDenied` for what takes a whole store, where only a part of it is shown."""
    if store.restricted:
        raise PermissionDenied(f"to {what} takes the whole store: an administrator of it may")


def check_export(store: Store, project: str | None) -> None:
    """Raise `PermissionDenied` for an export that a store which shows only a part does not allow."""
    if not store.restricted or project in store.exports:
        return
    if project is None:
        own = ", ".join(sorted(store.exports))
        rest = f"; name a project that you may export: {own}" if own else ""
        raise PermissionDenied(f"to export the whole store takes an administrator of it{rest}")
    raise PermissionDenied(f"to export project {project!r} takes a maintainer of it, or more")


def last_number(store: Store, as_of: AsOf = None) -> int:
    """Return the number of the last change (not later than `as_of`), 0 where nothing is recorded."""
    last = store.head(as_of)
    return 0 if last is None else last.number


def pages_of(
    store: Store,
    kind: str,
    where: Expression | None = None,
    order: Sequence[OrderKey] = (),
    limit: int = MAX_PAGE,
    as_of: AsOf = None,
) -> Iterator[Page]:
    """Yield the pages of a search, one after the other."""
    cursor = None
    while True:
        page = store.search(kind, where, order, limit, cursor, as_of)
        yield page
        if (cursor := page.cursor) is None:
            return


def nodes_of(store: Store, kind: str, where: Expression | None = None, as_of: AsOf = None) -> Iterator[Node]:
    """Yield all nodes of a kind that match, page by page."""
    for page in pages_of(store, kind, where, as_of=as_of):
        yield from page.items


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
