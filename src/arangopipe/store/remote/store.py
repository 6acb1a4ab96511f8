"""The store contract spoken over HTTP: each method is a route of the server.

A node travels as the list of its fields with its document as text, so that it stays the same to the byte.
What a store is able to do beside the contract depends on the server and on who asks: after the first
answer, the class of a store is the one that has just those abilities.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from arangopipe.errors import InvalidInput, StoreUnavailable
from arangopipe.model import documents as texts
from arangopipe.model import times
from arangopipe.model.filters import Expression, OrderKey, to_text
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
from arangopipe.model.vocabulary import Direction, Vocabulary
from arangopipe.model.wire import batch_dict, batch_text, change_dict, change_from, points_dict
from arangopipe.store.abilities import (
    QUERY_SECONDS,
    Adoption,
    Maintenance,
    NativeQuery,
    Replica,
    Rows,
    check_query,
)
from arangopipe.store.base import MAX_NODES, MAX_PAGE, AsOf, Store, check_page
from arangopipe.store.checks import check_document
from arangopipe.store.remote.address import address_of
from arangopipe.store.remote.client import GREETING, LINES, Client, Greeting, encode

LONGEST = 60.0
"""Seconds after which a server that hung is tried again at the latest."""


class RemoteStore(Store):
    """The store of a server: ``https://host``, with a token."""

    def __init__(self, url: str, token: str | None = None) -> None:
        address = address_of(url, token)
        self.url = address.url
        self._client = Client(address)
        self._closed = False
        self._greeting: Greeting | None = None
        self._try_at, self._why = 0.0, ""
        try:
            self._greet(GREETING)
        except StoreUnavailable:
            # It may come back: what is recorded until then goes to the spool.
            return
        except BaseException:
            self._client.close()
            raise

    def _greet(self, patience: float) -> None:
        """Learn what the server is able to do; one that hung is then left alone for ten times as long."""
        began = time.monotonic()
        try:
            greeting = self._client.greet(patience)
        except StoreUnavailable as error:
            took = time.monotonic() - began
            if took > GREETING / 2:
                self._try_at, self._why = began + min(11 * took, LONGEST), str(error)
            raise
        self.__class__ = _with_abilities(frozenset(_ABILITIES) & greeting.abilities)
        self._greeting = greeting

    def close(self) -> None:
        self._closed = True
        self._client.close()

    @property
    def restricted(self) -> bool:  # type: ignore[override]
        """Whether the server shows only a part; raises `StoreUnavailable` while it cannot be asked."""
        return self._greeted().restricted

    @property
    def exports(self) -> frozenset[str]:  # type: ignore[override]
        """The projects that may be exported; raises `StoreUnavailable` while it cannot be asked."""
        return self._greeted().exports

    def _greeted(self) -> Greeting:
        if self._greeting is None:
            self._open()
        assert self._greeting is not None
        return self._greeting

    def _open(self, patience: float | None = None) -> Client:
        if self._closed:
            raise StoreUnavailable(f"the store {self.url} is closed: connect again")
        if self._greeting is None:
            if time.monotonic() < self._try_at:
                raise StoreUnavailable(self._why)
            self._greet(GREETING if patience is None else min(patience, GREETING))
        return self._client

    def _ask(self, method: str, **arguments: Any) -> Any:
        return self._open().call(f"store/{method}", encode(_filled(arguments)).encode())

    def _stream(self, method: str, **arguments: Any) -> Iterator[Any]:
        return self._open().stream(f"store/{method}", encode(_filled(arguments)).encode())

    # Writing

    def write(self, batch: Batch, patience: float | None = None) -> Change:
        answer = self._open(patience).call("batches", _batch_text(batch).encode(), patience)
        if any(put.node.kind == "kinds" for put in batch.puts) or any(
            "kinds/" in closed for closed in batch.closes
        ):
            self._vocabulary = None
        return change_from(answer)

    def vocabulary(self, reload: bool = False) -> Vocabulary:
        self._open()
        return super().vocabulary(reload)

    # Reading

    def head(self, as_of: AsOf = None) -> Change | None:
        found = self._ask("head", as_of=_moment(as_of))["change"]
        return None if found is None else change_from(found)

    def get(self, ids: Sequence[str], as_of: AsOf = None) -> tuple[Node | None, ...]:
        found = self._ask("get", ids=list(ids), as_of=_moment(as_of))["nodes"]
        return tuple([None if row is None else Node(*row) for row in found])

    def owned(self, runs: Sequence[str], as_of: AsOf = None) -> dict[str, tuple[str, str]]:
        found = self._ask("owned", runs=list(runs), as_of=_moment(as_of))["owned"]
        return {run: (params, perf) for run, params, perf in found}

    def last_written(self, runs: Sequence[str], as_of: AsOf = None) -> dict[str, datetime]:
        found = self._ask("last-written", runs=list(runs), as_of=_moment(as_of))["written"]
        return {run: times.parse(time) for run, time in found.items()}

    def find(self, kind: str, name: str, project: str | None = None, as_of: AsOf = None) -> tuple[Node, ...]:
        found = self._ask("find", kind=kind, name=name, project=project, as_of=_moment(as_of))["nodes"]
        return tuple([Node(*row) for row in found])

    def search(
        self,
        kind: str,
        where: Expression | None = None,
        order: Sequence[OrderKey] = (),
        limit: int = 100,
        cursor: str | None = None,
        as_of: AsOf = None,
    ) -> Page:
        check_page(limit)
        found = self._ask(
            "search",
            kind=kind,
            where=_words(where),
            order=[key.text for key in order],
            limit=limit,
            cursor=cursor,
            as_of=_moment(as_of),
        )
        return Page(tuple([Node(*row) for row in found["nodes"]]), found["cursor"])

    def columns(
        self,
        kind: str,
        paths: Sequence[str],
        where: Expression | None = None,
        as_of: AsOf = None,
        links: Sequence[str] = (),
        documents: bool = False,
    ) -> Iterator[dict[str, list[Any]]]:
        found = self._stream(
            "columns",
            kind=kind,
            paths=list(paths),
            where=_words(where),
            as_of=_moment(as_of),
            links=list(links),
            documents=documents,
        )
        return _with_links(found, dict.fromkeys(links))

    def count(
        self, kind: str, where: Expression | None = None, by: str | None = None, as_of: AsOf = None
    ) -> dict[Any, int]:
        found = self._ask("count", kind=kind, where=_words(where), by=by, as_of=_moment(as_of))["counts"]
        return dict(found)

    def edges(
        self,
        ids: Sequence[str],
        kinds: Sequence[str] = (),
        limit: int = MAX_PAGE,
        as_of: AsOf = None,
    ) -> tuple[Edge, ...]:
        found = self._stream("edges", ids=list(ids), kinds=list(kinds), limit=limit, as_of=_moment(as_of))
        return tuple([Edge(*row) for row in found])

    def traverse(
        self,
        start: Sequence[str],
        direction: Direction,
        depth: int | None = None,
        limit: int = MAX_NODES,
        as_of: AsOf = None,
    ) -> Graph:
        head, *parts = self._stream(
            "traverse",
            start=list(start),
            direction=direction,
            depth=depth,
            limit=limit,
            as_of=_moment(as_of),
        )
        nodes: dict[str, Node] = {}
        depths: dict[str, int] = {}
        edges: list[Edge] = []
        for part in parts:
            if "edge" in part:
                edges.append(Edge(*part["edge"]))
            else:
                node = Node(*part["node"])
                nodes[node.id], depths[node.id] = node, part["depth"]
        return Graph(tuple(head["start"]), nodes, depths, tuple(edges), head["depends"], head["truncated"])

    def points(self, run: str, name: str | None = None, as_of: AsOf = None) -> dict[str, list[Point]]:
        found = self._ask("points", run=run, name=name, as_of=_moment(as_of))["points"]
        return {metric: [Point(*point) for point in series] for metric, series in found.items()}

    def revisions(self, node: str) -> tuple[Revision, ...]:
        return tuple(
            [Revision(Node(*row), *_life(life)) for row, *life in self._stream("revisions", node=node)]
        )

    def changes(self, after: int = 0, limit: int | None = None, entries: bool = False) -> Iterator[Change]:
        return map(change_from, self._stream("changes", after=after, limit=limit, entries=entries))


class _Maintained(RemoteStore, Maintenance):
    def check(self) -> Iterator[str]:
        return self._stream("check")

    def erase(
        self, ids: Sequence[str], actor: str, reason: str, unchanged: Sequence[str] = (), since: int = 0
    ) -> Change:
        asked = {"ids": list(ids), "actor": actor, "reason": reason, "unchanged": list(unchanged)}
        body = encode({**asked, "since": since}).encode()
        # Erasing has no id by which the server would know it again.
        return change_from(self._open().call("store/erase", body, repeat=False))


class _Replicated(RemoteStore, Replica):
    def append(self, changes: Sequence[Change]) -> None:
        lines = "".join([f"{encode(change_dict(change))}\n" for change in changes])
        self._open().call("store/append", lines.encode(), repeat=False, kind=LINES)

    def adopt(self, adoptions: Sequence[Adoption]) -> None:
        asked = [{"batch": batch_dict(batch), "past": list(map(_past, past))} for batch, past in adoptions]
        self._ask("adopt", adoptions=asked)

    def numbers(self, batches: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = self._ask("numbers", batches=list(batches))["numbers"]
        return found

    def edge_revisions(self, ref: EdgeRef) -> tuple[EdgeRevision, ...]:
        found = self._stream("edge-revisions", kind=ref.kind, source=ref.source, target=ref.target)
        return tuple([EdgeRevision(Edge(*row), *_life(life)) for row, *life in found])

    def ever_linked(self, node: str) -> tuple[EdgeRef, ...]:
        return tuple([EdgeRef(*row) for row in self._stream("ever-linked", node=node)])


class _Queried(RemoteStore, NativeQuery):
    def query(
        self, sql: str, parameters: Sequence[Any] = (), limit: int = 1_000, timeout: float = QUERY_SECONDS
    ) -> Rows:
        check_page(limit)
        return self._found(sql, parameters, timeout, limit=limit)

    def explain(
        self, sql: str, parameters: Sequence[Any] = (), timeout: float = QUERY_SECONDS
    ) -> tuple[str, ...]:
        return tuple([line for (line,) in self._found(sql, parameters, timeout, plan=True).rows])

    def _found(self, sql: str, parameters: Sequence[Any], timeout: float, **more: Any) -> Rows:
        asked = {"sql": check_query(sql, timeout), "parameters": list(parameters), "timeout": timeout, **more}
        try:
            body = encode(asked).encode()
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"the parameters cannot become JSON: {error}") from error
        found = self._open().call("query", body)
        return Rows(tuple(found["columns"]), tuple(map(tuple, found["rows"])), found["truncated"])


_ABILITIES: dict[str, type[RemoteStore]] = {
    "maintenance": _Maintained,
    "replica": _Replicated,
    "query": _Queried,
}


@cache
def _with_abilities(names: frozenset[str]) -> type[RemoteStore]:
    bases = tuple([_ABILITIES[name] for name in sorted(names)])
    return type("RemoteStore", bases, {"__module__": __name__}) if bases else RemoteStore


def _batch_text(batch: Batch) -> str:
    for node, _ in batch.puts:
        if node.text not in batch.read:
            check_document(node.id, node.text)
    for edge in batch.edges:
        if edge.text != texts.EMPTY:
            check_document(f"edge {edge.kind!r} {edge.source} -> {edge.target}", edge.text)
    try:
        return batch_text(batch)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the batch cannot become JSON: {error}") from error


def _filled(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _moment(as_of: AsOf) -> int | str | None:
    if as_of is None or isinstance(as_of, int):
        return as_of
    if not isinstance(as_of, datetime):
        raise InvalidInput(f"as_of is a change number or a time, not {as_of!r}")
    if as_of.utcoffset() is None:
        raise InvalidInput(f"as_of {as_of} has no time zone")
    return times.to_text(times.parse(as_of, "as_of"))


def _words(where: Expression | None) -> str | None:
    return None if where is None else to_text(where)


def _with_links(
    chunks: Iterator[dict[str, list[Any]]], links: dict[str, None]
) -> Iterator[dict[str, list[Any]]]:
    for chunk in chunks:
        for name in links:
            chunk[name] = [tuple([(end, text) for end, text in cell]) for cell in chunk[name]]
        yield chunk


def _life(life: Sequence[Any]) -> tuple[Change, Change | None]:
    change, closed_by = life
    return change_from(change), None if closed_by is None else change_from(closed_by)


def _past(value: Node | Edge | Points) -> dict[str, Any]:
    if isinstance(value, Points):
        return {"points": points_dict(value)}
    return {"node" if isinstance(value, Node) else "edge": list(value)}
