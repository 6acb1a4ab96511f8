"""What a batch does to a history: what it writes anew and what it ends, or why it may not."""

from __future__ import annotations

from collections.abc import Iterable

from arangopipe.errors import AlreadyExists, Conflict, NotFound
from arangopipe.model.graph import Batch, Edge, EdgeRef, Node, Points, Put
from arangopipe.model.vocabulary import OWNED_BY_RUN, Vocabulary
from arangopipe.store.checks import changed_since, check_batch
from arangopipe.store.history import History, Row, Value, merged

_NOW = 2**63
"""A change that is not recorded yet."""


def effects_of(batch: Batch, history: History, known: Vocabulary) -> tuple[list[Value], list[Row]]:
    """Return what a batch writes anew, and the rows that it ends; raise for what it may not do."""
    check_batch(batch, known)
    check_unchanged(batch, history)
    nodes = [put.node for put in batch.puts if _is_news(put, history)]
    _check_names(nodes, history, known)
    _check_ends(batch, history)
    edges = {edge.ref: edge for edge in batch.edges if _is_new_edge(edge, history)}.values()
    fresh: list[Value] = [*nodes, *edges, *merged(batch.points)]
    revised = (history.current(value) for value in fresh if not isinstance(value, Points))
    ended = [row for row in revised if row is not None] + rows_to_close(batch.closes, history)
    _check_kinds(nodes, ended, history)
    return fresh, ended


def check_unchanged(batch: Batch, history: History) -> None:
    """Raise `Conflict` where something that a batch rests on has changed."""
    for name in batch.unchanged:
        if history.changed(name, batch.since):
            raise changed_since(name, batch.since)


def _is_news(put: Put, history: History) -> bool:
    """Return whether a put changes anything; raise where what it expects is not so."""
    node, expect = put
    row = history.current(node)
    if row is None:
        if isinstance(expect, int):
            raise NotFound(f"{node.id} is not there (any more): it cannot be revised")
        return True
    revision = row.value.revision
    if isinstance(expect, int) and revision != expect:
        raise Conflict(
            f"{node.id} was changed meanwhile: it is at revision {revision}, not {expect}; "
            "look it up again and repeat"
        )
    if row.value == node._replace(revision=revision):
        return False
    if expect == "absent":
        raise AlreadyExists(f"{node.kind} {node.label!r} ({node.id}) is already there with other content")
    return True


def _is_new_edge(edge: Edge, history: History) -> bool:
    row = history.current(edge)
    return row is None or row.value.text != edge.text


def _check_names(nodes: Iterable[Node], history: History, known: Vocabulary) -> None:
    named: dict[Node, str] = {}
    for node in nodes:
        if known.nodes[node.kind].identity != "name":
            continue
        first = named.setdefault(node._replace(key="", revision=0, text=""), node.id)
        for other in {first, *history.namesakes(node)} - {node.id}:
            raise AlreadyExists(
                f"{node.kind} {node.name!r} version {node.version!r} is already there, as {other}"
            )


def _check_kinds(nodes: Iterable[Node], ended: Iterable[Row], history: History) -> None:
    """Check that the own kinds still make a vocabulary, else no one could use the store any more."""
    if not has_kinds([*nodes, *(row.value for row in ended)]):
        return
    own = {row.value.id: row.value for row in history.of_kind("kinds", _NOW)}
    for row in ended:
        if isinstance(row.value, Node):
            own.pop(row.value.id, None)
    own.update({node.id: node for node in nodes if node.kind == "kinds"})
    Vocabulary.of_store((node.name, node.document) for node in own.values())


def _check_ends(batch: Batch, history: History) -> None:
    """Check that what the batch refers to is there, in the store or in the batch itself."""
    put = {node.id for node, _ in batch.puts}
    needed = [(f"run/{node.key}", node.id) for node, _ in batch.puts if node.kind in OWNED_BY_RUN]
    for edge in batch.edges:
        needed += [(end, f"edge {edge.kind!r}") for end in (edge.source, edge.target)]
    needed += [(points.run, f"points of {points.name!r}") for points in batch.points]
    for node_id, what in needed:
        if node_id not in put and history.current(node_id) is None:
            raise NotFound(f"{node_id} is not there: {what} cannot be recorded")


def rows_to_close(closes: Iterable[str | EdgeRef], history: History) -> list[Row]:
    """Return the rows that end with some nodes and edges; raise `NotFound` for what is not there."""
    found: dict[Row, None] = {}
    for item in closes:
        row = history.current(item)
        if row is None:
            raise NotFound(f"{item} is not there (any more): it cannot be closed")
        found[row] = None
        if isinstance(item, str):
            found.update(dict.fromkeys(history.hanging_on(item)))
    return list(found)


def has_kinds(values: Iterable[Value]) -> bool:
    """Whether definitions of own kinds are among some values."""
    return any(isinstance(value, Node) and value.kind == "kinds" for value in values)
