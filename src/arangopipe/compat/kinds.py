"""Own types of vertices and edges, as administrators of old made them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from arangopipe.compat.assets import insert
from arangopipe.compat.connected import Connected
from arangopipe.compat.finding import edges_of, named, nodes_of
from arangopipe.compat.shapes import Document, attributes, edge_receipt, receipt
from arangopipe.errors import AlreadyExists, ArangopipeError, Conflict, InvalidInput
from arangopipe.model import documents
from arangopipe.model.graph import Batch, EdgeRef
from arangopipe.model.vocabulary import EDGE_KINDS, NODE_KINDS, RESERVED_KINDS, Vocabulary
from arangopipe.register import register
from arangopipe.store.base import MAX_NODES, last_number

_ENDS = "ends"
"""Attribute of an own kind of edge: the vertex types it may come from, and go to."""


class Kinds(Connected):
    """Making types and filling them. What cannot be done is logged as an error and returns None."""

    def has_vertex(self, vertex_name: str) -> bool:
        """Whether there is such a type of vertex."""
        return vertex_name in self._vocabulary().nodes and vertex_name not in RESERVED_KINDS

    def has_edge(self, edge_name: str) -> bool:
        """Whether there is such a collection of edges."""
        return edge_name in self._vocabulary().edges

    def add_vertex_to_arangopipe(self, vertex_to_create: str) -> None:
        """Make a type of vertex."""
        try:
            self.admin.register_node_kind(vertex_to_create)
        except (AlreadyExists, Conflict) as error:
            self._logger.error("vertex type %r is not made: %s", vertex_to_create, error)

    def remove_vertex_from_arangopipe(self, vertex_to_remove: str, purge: bool = True) -> None:
        """Remove an own type of vertex, with all that is of it if `purge`."""
        store, vocabulary = self.pipe.store, self._vocabulary()
        if not self._is_own(vertex_to_remove, vocabulary.nodes, NODE_KINDS):
            return
        joins = [
            edge.name for edge in vocabulary.edges.values() if vertex_to_remove in (edge.source, edge.target)
        ]
        if joins:
            self._logger.error("type %r is not removed: remove %s first", vertex_to_remove, ", ".join(joins))
        else:
            self._remove(
                vertex_to_remove, lambda: [node.id for node in nodes_of(store, vertex_to_remove)], purge
            )

    def add_edge_definition_to_arangopipe(
        self,
        edge_col_name: str | None = None,
        edge_name: str | None = None,
        from_vertex_name: str | None = None,
        to_vertex_name: str | None = None,
    ) -> None:
        """Make a type of edge; older code gives three names, of which the first is the type's."""
        given = [edge_col_name, edge_name, from_vertex_name, to_vertex_name]
        names = [name for name in given if name is not None]
        if len(names) < 3:
            raise TypeError("an edge definition needs its name and the vertex types it goes from and to")
        collection, *_, from_, to = names
        if any(map(self.has_edge, names[:-2])):
            self._logger.error("edge type %r is not made: it is already there", collection)
        else:
            self.add_edges_to_arangopipe(collection, [from_], [to])

    def add_edges_to_arangopipe(
        self, edge_col_name: str, from_vertex_list: Sequence[str], to_vertex_list: Sequence[str]
    ) -> None:
        """Make a type of edge that goes from any of these vertex types to any of those."""
        ends = list(from_vertex_list), list(to_vertex_list)
        if missing := [name for name in (*ends[0], *ends[1]) if not self.has_vertex(name)]:
            self._logger.error(
                "edge type %r is not made: no vertex type %s", edge_col_name, ", ".join(missing)
            )
            return
        from_, to = (names[0] if len(names) == 1 else None for names in ends)
        document = {"of": "edge", "from": from_, "to": to, "depends": None, _ENDS: ends}
        try:
            self._vocabulary().with_own([(edge_col_name, document)])
            register(self.pipe, "kinds", edge_col_name, document)
            self._vocabulary()
        except (AlreadyExists, Conflict) as error:
            self._logger.error("edge type %r is not made: %s", edge_col_name, error)

    def remove_edge_definition_from_arangopipe(self, edge_name: str, purge: bool = True) -> None:
        """Remove an own type of edge, with all edges of it if `purge`."""
        known = self._vocabulary().edges
        store = self.pipe.store
        if self._is_own(edge_name, known, EDGE_KINDS):
            self._remove(edge_name, lambda: [edge.ref for edge in edges_of(store, known[edge_name])], purge)

    def insert_into_vertex_type(self, vertex_type_name: str, document: Mapping[str, Any]) -> Document | None:
        """Record a document of that type and return its ids."""
        if not self.has_vertex(vertex_type_name):
            self._logger.error("vertex type %r is not there: add it first", vertex_type_name)
            return None
        return receipt(insert(self.pipe, vertex_type_name, document))

    def insert_into_edge_type(
        self,
        edge_name: str,
        from_vdoc: Mapping[str, Any],
        to_vdoc: Mapping[str, Any],
        document: Mapping[str, Any] | None = None,
    ) -> Document | None:
        """Record an edge between two documents and return its ids."""
        try:
            return self._insert_edge(edge_name, from_vdoc["_id"], to_vdoc["_id"], document or {})
        except (ArangopipeError, KeyError, TypeError) as error:
            self._logger.error("the edge of type %r is not made: %s", edge_name, error)
            return None

    def _insert_edge(self, kind: str, source: str, target: str, document: Mapping[str, Any]) -> Document:
        pipe = self.pipe
        text = documents.dump(documents.normalise(attributes(document), f"edge {kind!r}"))
        edge = pipe.references().edge(kind, source, target, text)
        if edge.source != source or not self._may_join(kind, source, target):
            raise InvalidInput(f"such an edge does not go from {source} to {target}")
        if any(known.ref == edge.ref for known in pipe.store.edges([source], [kind], MAX_NODES)):
            raise AlreadyExists(f"there is one from {source} to {target}")
        change = pipe.store.write(pipe.batch("link", edges=[edge]))
        return edge_receipt(edge._replace(revision=change.number))

    def _may_join(self, kind: str, source: str, target: str) -> bool:
        """Whether a type with several vertex types at an end allows these."""
        known = named(self.pipe.store, "kinds", kind)
        ends = known.document.get(_ENDS) if known is not None else None
        given = (source.partition("/")[0], target.partition("/")[0])
        return ends is None or all(end in allowed for end, allowed in zip(given, ends, strict=True))

    def _vocabulary(self) -> Vocabulary:
        return self.pipe.store.vocabulary(reload=True)

    def _is_own(self, name: str, known: Iterable[str], built_in: Iterable[str]) -> bool:
        if name not in known or name in RESERVED_KINDS:
            self._logger.error("type %r is not removed: it is not there", name)
        elif name in built_in:
            self._logger.error("type %r is not removed: it is built in", name)
        else:
            return True
        return False

    def _remove(self, name: str, content: Callable[[], Sequence[str | EdgeRef]], purge: bool) -> None:
        """Close an own kind and, if `purge`, all of it in one batch; anew where others wrote meanwhile."""
        pipe = self.pipe

        def build() -> Batch:
            since = last_number(pipe.store)
            held, kind = content(), pipe.store.find("kinds", name)
            if held and not purge:
                raise InvalidInput(f"it holds {len(held)}: pass purge=True to lose them")
            closes = [*held, *(node.id for node in kind)]
            return pipe.batch("remove type", closes=closes, unchanged=[name], since=since)

        try:
            pipe.send_fresh(build)
            self._vocabulary()
        except InvalidInput as error:
            self._logger.error("type %r is not removed: %s", name, error)
