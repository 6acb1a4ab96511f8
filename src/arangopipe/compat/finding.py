"""Looking up as old code did: the first that matches, oldest first, as flat dicts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from arangopipe.compat.errors import raised_as
from arangopipe.compat.shapes import UNDERSCORED, Document, edge_dict, edge_key, entity_dict
from arangopipe.model import documents
from arangopipe.model.expressions import MAX_EXACT, Compare, Expression, Path
from arangopipe.model.graph import Edge, Node
from arangopipe.model.vocabulary import EdgeKind, Vocabulary
from arangopipe.pipe import ArangoPipe
from arangopipe.store.base import AS_CREATED, MAX_NODES, Store, pages_of

_MADE = frozenset({"_id", "_key", "_rev", "name", "run_id", "timestamp", "type"})
"""Attributes of old documents that today's need not hold as such."""

_UNNAMED = frozenset({"modelparams", "devperf", "deployment", "servingperf"})
"""Kinds in whose documents a ``name`` is an attribute as any other."""

_PAGE = 200


def named(store: Store, kind: str, name: Any) -> Node | None:
    """Return the oldest node of that name, in whatever project, or None."""
    nodes = store.find(kind, name) if isinstance(name, str) else ()
    return nodes[-1] if nodes else None


def nodes_of(store: Store, kind: str, where: Expression | None = None) -> Iterator[Node]:
    """Yield the nodes of a kind, the oldest first."""
    for page in pages_of(store, kind, where, [AS_CREATED], _PAGE):
        yield from page.items


def edges_of(store: Store, kind: EdgeKind) -> Iterator[Edge]:
    """Yield the edges of a kind."""
    seen: set[Edge] = set()
    for source in [kind.source] if kind.source is not None else store.vocabulary().nodes:
        nodes = nodes_of(store, source)
        while ids := [node.id for node in islice(nodes, _PAGE)]:
            found = store.edges(ids, [kind.name], MAX_NODES)
            yield from (edge for edge in found if edge not in seen)
            seen.update(found)


@raised_as("AQLQueryExecuteError")
def matching(pipe: ArangoPipe, kind: str, attribute: str, value: Any) -> Iterator[Document]:
    """Yield the documents of a node or edge kind whose attribute has just that value."""
    wanted = documents.normalise({"value": value})["value"]
    vocabulary = pipe.store.vocabulary(reload=True)
    if kind in vocabulary.edges:
        end = attribute in ("_from", "_to") and isinstance(wanted, str)
        known = vocabulary.edges[kind]
        edges = pipe.store.edges([wanted], [kind], MAX_NODES) if end else edges_of(pipe.store, known)
        found: Iterator[Document] = map(edge_dict, edges)
    else:
        name = vocabulary.node_kind(kind).name
        found = map(entity_dict, _candidates(pipe.store, name, attribute, wanted))
    return (document for document in found if _same(document.get(attribute), wanted))


def _candidates(store: Store, kind: str, attribute: str, value: Any) -> Iterator[Node]:
    """Yield what may have that value: what the index finds, or everything."""
    if attribute == "name" and isinstance(value, str) and kind not in _UNNAMED:
        return reversed(store.find(kind, value))
    if attribute in _MADE or not _indexed(value):
        return nodes_of(store, kind)
    segments = (UNDERSCORED, attribute) if attribute.startswith("_") else (attribute,)
    return nodes_of(store, kind, Compare(Path(segments, own=True), "=", value))


def _indexed(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= MAX_EXACT
    return isinstance(value, (str, float))


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, where true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return bool(one == other)


def by_id(pipe: ArangoPipe, entity_id: str) -> Document | None:
    """Return the document of a node or an edge by its old id, or None."""
    kind, _, key = entity_id.partition("/")
    vocabulary = pipe.store.vocabulary(reload=True)
    if kind in vocabulary.nodes:
        (node,) = pipe.store.get([entity_id])
        return entity_dict(node) if node is not None else None
    if kind in vocabulary.edges:
        for end in _possible_ends(vocabulary, kind, key):
            for edge in pipe.store.edges([end], [kind], MAX_NODES):
                if edge_key(edge) == key:
                    return edge_dict(edge)
    return None


def _possible_ends(vocabulary: Vocabulary, kind: str, key: str) -> Iterator[str]:
    """Yield the ids that the first part of an edge's key may stand for; keys may hold dashes."""
    known = vocabulary.edges[kind]
    first = known.target if kind == "run_models" else known.source
    kinds = list(vocabulary.nodes) if first is None else [first]
    dashes = [index for index, character in enumerate(key) if character == "-"]
    return chain.from_iterable((f"{name}/{key[:dash]}" for dash in dashes) for name in kinds)
