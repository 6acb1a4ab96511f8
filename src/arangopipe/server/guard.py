"""A store restricted to what one principal may see and write.

Every route, page and client reads and writes through it, so isolation holds for each of them: `visible` says
what is seen, `permits` what may be written, `redacting` how changes are told. Searches, counts and walks are
the engine's own, within the scope of the principal's projects (`store.scope`); users and tokens, which no
scope shows, are few. What a principal may not see is as if it were not there. Administrators have the store
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any, NoReturn, TypeVar

from arangopipe.errors import (
    AlreadyExists,
    ArangopipeError,
    Conflict,
    NotFound,
    PermissionDenied,
    StoreUnavailable,
    Unsupported,
)
from arangopipe.model import documents as json_texts
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
    Revision,
)
from arangopipe.model.vocabulary import OWNED_BY_RUN, Direction, Vocabulary
from arangopipe.roles import Principal, may
from arangopipe.server.permits import Permit
from arangopipe.server.redacting import Ledger
from arangopipe.server.visible import GRANT, Sight
from arangopipe.store.abilities import (
    QUERY_SECONDS,
    Adoption,
    Backup,
    Condition,
    Inspection,
    Maintenance,
    NativeQuery,
    Replica,
    Rows,
    Size,
)
from arangopipe.store.base import MAX_NODES, MAX_PAGE, RETRIES, AsOf, Store, check_bound
from arangopipe.store.scope import PERSONAL

T = TypeVar("T")


def guarded(store: Store, principal: Principal) -> Store:
    """Return a store as a principal may use it: for an administrator the store itself."""
    return store if principal.admin else GuardedStore(store, principal)


class GuardedStore(Store, Maintenance, Replica, Backup, Inspection, NativeQuery):
    """What a principal may see and write of a store; its abilities are for administrators alone."""

    restricted = True

    def __init__(self, store: Store, principal: Principal) -> None:
        self.url = store.url
        self.principal = principal
        self.exports = tuple(name for name in principal.roles if may(principal, "export", name))
        self._store = store
        self._sight = Sight(store, principal)
        self._part = store if principal.admin else self._sight.scoped.within(self._sight.scope)
        self._ledger = Ledger(self._sight)

    def close(self) -> None:
        """Close this view of the store, and leave the store open: it is everyone's."""
        self._store = self._part = self._sight.store = _Closed(self.url)  # type: ignore[assignment]

    def vocabulary(self, reload: bool = False) -> Vocabulary:
        return self._store.vocabulary(reload)

    # Writing

    def write(self, batch: Batch, patience: float | None = None) -> Change:
        granted = self._granted(batch)
        for _ in range(RETRIES):
            if isinstance(granted, Change):
                return granted
            try:
                change = self._store.write(granted, patience)
            except (AlreadyExists, Conflict, NotFound):
                # What was judged may have changed meanwhile: then it is judged again.
                again = self._granted(batch)
                if again == granted:
                    raise
                granted = again
            else:
                return self._ledger.told(change)
        raise Conflict(f"others wrote {RETRIES} times in the midst of this: send it again")

    def _granted(self, batch: Batch) -> Batch | Change:
        """Return a batch as it may be written, or the result of one that was written before."""
        try:
            return Permit(self._sight, batch).granted()
        except ArangopipeError:
            # A batch that was written may not be written any more when it is sent again.
            if (first := self._first(batch.id)) is None:
                raise
            return first

    def _first(self, batch: str) -> Change | None:
        if not isinstance(self._store, Replica):
            change = self._store.write(Batch(batch)) if self._store.head() is not None else None
            return None if change is None or change.batch != batch else self._ledger.told(change)
        number = self._store.numbers([batch]).get(batch)
        if number is None:
            return None
        return self._ledger.told(next(iter(self._store.changes(number - 1, 1))))

    # Reading

    def head(self, as_of: AsOf = None) -> Change | None:
        change = self._store.head(as_of)
        return None if change is None else self._ledger.told(change)

    def get(self, ids: Sequence[str], as_of: AsOf = None) -> tuple[Node | None, ...]:
        return tuple(map(self._sight.nodes(ids, as_of).get, ids))

    def owned(self, runs: Sequence[str], as_of: AsOf = None) -> dict[str, tuple[str, str]]:
        owned = [f"{kind}/{key}" for key in runs for kind in OWNED_BY_RUN]
        seen = self._sight.nodes(owned, as_of)
        texts = [seen[i].text if i in seen else json_texts.EMPTY for i in owned]
        return dict(zip(runs, zip(texts[::2], texts[1::2], strict=True), strict=True))

    def last_written(self, runs: Sequence[str], as_of: AsOf = None) -> dict[str, datetime]:
        return self._part.last_written(runs, as_of)

    def find(self, kind: str, name: str, project: str | None = None, as_of: AsOf = None) -> tuple[Node, ...]:
        return tuple(self._sight.among(self._store.find(kind, name, project, as_of), as_of))

    def called(self, kind: str, text: str, as_of: AsOf = None) -> tuple[Node, ...]:
        if self._is_personal(kind):
            return super().called(kind, text, as_of)
        return self._part.called(kind, text, as_of)

    def one_moment(self) -> AbstractContextManager[None]:
        return self._part.one_moment()

    def search(
        self,
        kind: str,
        where: Expression | None = None,
        order: Sequence[OrderKey] = (),
        limit: int = 100,
        cursor: str | None = None,
        as_of: AsOf = None,
    ) -> Page:
        if not self._is_personal(kind):
            return self._part.search(kind, where, order, limit, cursor, as_of)
        with self._sight.personal(kind, as_of) as few:
            page = few.search(kind, where, order, limit, cursor)
            found = self.get([node.id for node in page.items], as_of)
            return Page(tuple(node for node in found if node is not None), page.cursor)

    def columns(
        self,
        kind: str,
        paths: Sequence[str],
        where: Expression | None = None,
        as_of: AsOf = None,
        links: Sequence[str] = (),
        documents: bool = False,
    ) -> Iterator[dict[str, list[Any]]]:
        if not self._is_personal(kind):
            return self._part.columns(kind, paths, where, as_of, links, documents)
        with self._sight.personal(kind, as_of) as few:
            return few.columns(kind, paths, where, None, links, documents)

    def count(
        self, kind: str, where: Expression | None = None, by: str | None = None, as_of: AsOf = None
    ) -> dict[Any, int]:
        if not self._is_personal(kind):
            return self._part.count(kind, where, by, as_of)
        with self._sight.personal(kind, as_of) as few:
            return few.count(kind, where, by)

    def _is_personal(self, kind: str) -> bool:
        whole = self._sight.principal.admin
        return not whole and self.vocabulary().node_kind(kind).name in PERSONAL

    def edges(
        self,
        ids: Sequence[str],
        kinds: Sequence[str] = (),
        limit: int = MAX_PAGE,
        as_of: AsOf = None,
    ) -> tuple[Edge, ...]:
        check_bound("limit", limit, 1)
        found = self._part.edges(ids, kinds, limit, as_of)
        if self._sight.principal.admin or (kinds and GRANT not in kinds):
            return found
        return (*found, *self._sight.grants_of(ids, as_of))[:limit]

    def degree(self, node: str, kind: str, outward: bool, most: int = MAX_PAGE, as_of: AsOf = None) -> int:
        if kind == GRANT and not self._sight.principal.admin:
            return super().degree(node, kind, outward, most, as_of)
        return self._part.degree(node, kind, outward, most, as_of)

    def traverse(
        self,
        start: Sequence[str],
        direction: Direction,
        depth: int | None = None,
        limit: int = MAX_NODES,
        as_of: AsOf = None,
    ) -> Graph:
        return self._part.traverse(start, direction, depth, limit, as_of)

    def points(self, run: str, name: str | None = None, as_of: AsOf = None) -> dict[str, list[Point]]:
        return self._store.points(run, name, as_of) if self._sight.nodes([run], as_of) else {}

    def revisions(self, node: str) -> tuple[Revision, ...]:
        life = self._store.revisions(node)
        shown = []
        for state in life:
            seen = self._sight.by_words(state.node)
            if seen is not None and self._followed(state):
                closed = state.closed_by and self._ledger.plain(state.closed_by)
                shown.append(Revision(seen, self._ledger.plain(state.change), closed))
        return tuple(shown)

    def _followed(self, state: Revision) -> bool:
        """Whether what a state follows was visible at any time while it stood."""
        node, first = state.node, state.change.number
        end = state.closed_by.number if state.closed_by else None
        if node.kind in OWNED_BY_RUN:
            for run in self._store.revisions(f"run/{node.key}"):
                until = run.closed_by.number if run.closed_by else None
                overlaps = (end is None or run.change.number < end) and (until is None or first < until)
                if overlaps and self._sight.by_words(run.node) is not None:
                    return True
            return False
        if node.kind == "servingperf":
            moments = {first, None if end is None else end - 1}
            return any(self._sight.nodes([node.id], moment) for moment in moments)
        return True

    def changes(self, after: int = 0, limit: int | None = None, entries: bool = False) -> Iterator[Change]:
        check_bound("after", after, 0)
        return self._ledger.changes(after, limit, entries)

    # Abilities: of administrators

    def _ability(self, kind: type[T], what: str) -> T:
        if not self.principal.admin:
            raise PermissionDenied(
                f"{self.principal.user!r} may not {what}: that takes an administrator of the store"
            )
        if not isinstance(self._store, kind):
            raise Unsupported(f"{self._store!r} cannot do that: {what}")
        return self._store

    def check(self) -> Iterator[str]:
        return self._ability(Maintenance, "check the store").check()

    def erase(
        self, ids: Sequence[str], actor: str, reason: str, unchanged: Sequence[str] = (), since: int = 0
    ) -> Change:
        store = self._ability(Maintenance, "erase for good")
        return store.erase(ids, self.principal.user, reason, unchanged, since)

    def append(self, changes: Sequence[Change]) -> None:
        self._replica("copy into the store").append(changes)

    def adopt(self, adoptions: Sequence[Adoption]) -> None:
        self._replica("import").adopt(adoptions)

    def numbers(self, batches: Sequence[str]) -> dict[str, int]:
        return self._replica("ask which batches were recorded").numbers(batches)

    def edge_revisions(self, ref: EdgeRef) -> tuple[EdgeRevision, ...]:
        return self._replica("read the history of edges").edge_revisions(ref)

    def ever_linked(self, node: str) -> tuple[EdgeRef, ...]:
        return self._replica("read the history of edges").ever_linked(node)

    def _replica(self, what: str) -> Replica:
        return self._ability(Replica, what)

    def backup(self, path: FilePath, progress: Callable[[int, int | None], object] | None = None) -> None:
        self._ability(Backup, "copy the store").backup(path, progress)

    def schema(self) -> tuple[str | None, str]:
        return self._inspection().schema()

    def size(self, tables: bool = False) -> Size:
        return self._inspection().size(tables)

    def backups(self) -> tuple[FilePath, ...]:
        return self._inspection().backups()

    def conditions(self) -> Iterator[Condition]:
        return self._inspection().conditions()

    def query(
        self, sql: str, parameters: Sequence[Any] = (), limit: int = 1_000, timeout: float = QUERY_SECONDS
    ) -> Rows:
        return self._native().query(sql, parameters, limit, timeout)

    def explain(
        self, sql: str, parameters: Sequence[Any] = (), timeout: float = QUERY_SECONDS
    ) -> tuple[str, ...]:
        return self._native().explain(sql, parameters, timeout)

    def _native(self) -> NativeQuery:
        return self._ability(NativeQuery, "ask in SQL")

    def _inspection(self) -> Inspection:
        return self._ability(Inspection, "look at how the store is kept")


class _Closed:
    """Stands for the store once a view of it is closed."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __getattr__(self, name: str) -> NoReturn:
        raise StoreUnavailable(f"the store {self._url} is closed: connect again")
