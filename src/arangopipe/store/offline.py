"""The store of a process that works offline: nothing is read or written, and every read says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NoReturn

from arangopipe.errors import StoreUnavailable
from arangopipe.model.expressions import Expression, OrderKey
from arangopipe.model.graph import Batch, Change, Edge, Graph, Node, Page, Point, Revision
from arangopipe.model.ids import named_key
from arangopipe.model.vocabulary import Direction, Vocabulary
from arangopipe.store.base import MAX_NODES, MAX_PAGE, AsOf, Store
from arangopipe.store.settings import absolute


class OfflineStore(Store):
    """Stands for the store at an address while ARANGOPIPE_OFFLINE is set."""

    def __init__(self, url: str) -> None:
        self.url = absolute(url)

    def vocabulary(self, reload: bool = False) -> Vocabulary:
        return Vocabulary()

    def find(self, kind: str, name: str, project: str | None = None, as_of: AsOf = None) -> tuple[Node, ...]:
        if kind != "project":
            self._refuse(f"{name!r} cannot be looked up")
        # A project is known by its name alone; that it is not there shows when what refers to it is replayed.
        return (Node(kind, named_key(kind, "", name, ""), name),)

    def write(self, batch: Batch, patience: float | None = None) -> Change:
        self._refuse("nothing is written")

    def head(self, as_of: AsOf = None) -> Change | None:
        self._refuse()

    def get(self, ids: Sequence[str], as_of: AsOf = None) -> tuple[Node | None, ...]:
        self._refuse(f"{', '.join(ids):.200} cannot be looked up")

    def search(
        self,
        kind: str,
        where: Expression | None = None,
        order: Sequence[OrderKey] = (),
        limit: int = 100,
        cursor: str | None = None,
        as_of: AsOf = None,
    ) -> Page:
        self._refuse()

    def columns(
        self,
        kind: str,
        paths: Sequence[str],
        where: Expression | None = None,
        as_of: AsOf = None,
        links: Sequence[str] = (),
        documents: bool = False,
    ) -> Iterator[dict[str, list[Any]]]:
        self._refuse()

    def count(
        self, kind: str, where: Expression | None = None, by: str | None = None, as_of: AsOf = None
    ) -> dict[Any, int]:
        self._refuse()

    def edges(
        self,
        ids: Sequence[str],
        kinds: Sequence[str] = (),
        limit: int = MAX_PAGE,
        as_of: AsOf = None,
    ) -> tuple[Edge, ...]:
        self._refuse()

    def traverse(
        self,
        start: Sequence[str],
        direction: Direction,
        depth: int | None = None,
        limit: int = MAX_NODES,
        as_of: AsOf = None,
    ) -> Graph:
        self._refuse()

    def last_written(self, runs: Sequence[str], as_of: AsOf = None) -> dict[str, datetime]:
        self._refuse()

    def points(self, run: str, name: str | None = None, as_of: AsOf = None) -> dict[str, list[Point]]:
        self._refuse()

    def revisions(self, node: str) -> tuple[Revision, ...]:
        self._refuse()

    def changes(self, after: int = 0, limit: int | None = None, entries: bool = False) -> Iterator[Change]:
        self._refuse()

    def close(self) -> None:
        pass

    def _refuse(self, what: str = "nothing can be read") -> NoReturn:
        raise StoreUnavailable(
            f"ARANGOPIPE_OFFLINE is set, so {what} in {self.url}: pass what register_…(…, offline=True) "
            "returned instead of a name, or unset ARANGOPIPE_OFFLINE"
        )
