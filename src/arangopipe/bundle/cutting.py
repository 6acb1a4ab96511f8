"""Cutting changes to what belongs to one project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from arangopipe.errors import NotFound
from arangopipe.model import chain
from arangopipe.model.graph import Change, Edge, Entry, Node, Points, kind_of
from arangopipe.model.vocabulary import OWNED_BY_RUN, Vocabulary, near
from arangopipe.references import listed
from arangopipe.store.base import Store

_SOME = 500


class Cut:
    """The things that belong to a project, by id: its own, what they own, and what they depend on."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids: set[str] = set()
        self._vocabulary = vocabulary

    @classmethod
    def to_project(cls, store: Store, name: str, last: int) -> Cut:
        """Return what belongs to a project, whenever it was recorded."""
        if not any(True for _ in store.find("project", name)):
            known = sorted(node.name for node in store.search("project").items)
            raise NotFound(f"no project is called {name!r}{near(name, known)} (known: {listed(known)})")
        cut = cls(store.vocabulary(reload=True))
        for change in store.changes(0, last, entries=True):
            cut._gather(change, name)
        cut._gather_upstream(store)
        return cut

    def _gather(self, change: Change, project: str) -> None:
        edges = []
        for entry in change.entries[1:]:
            value = _value(entry)
            if isinstance(value, Node):
                own = value.kind == "project" and value.name == project
                owned = value.kind in OWNED_BY_RUN and f"run/{value.key}" in self._ids
                if own or owned or value.project == project or value.kind == "kinds":
                    self._ids.add(value.id)
            elif isinstance(value, Edge):
                edges.append(value)
            elif entry.left is not None and entry.left.project == project:
                self._ids.add(entry.left.id)
        for edge in edges:
            kind = self._vocabulary.edges.get(edge.kind)
            depends = None if kind is None else kind.depends
            if depends == "from" and edge.source in self._ids:
                self._ids.add(edge.target)
            elif depends in ("to", "both") and edge.target in self._ids:
                self._ids.add(edge.source)

    def _gather_upstream(self, store: Store) -> None:
        """Add what is needed by what was found, over any number of steps, as things stand now."""
        # What a model depends on is its runs, and those of others do not belong here.
        ids = sorted(i for i in self._ids if not self._vocabulary.is_leaf(kind_of(i)))
        for start in range(0, len(ids), _SOME):
            here = [node.id for node in store.get(ids[start : start + _SOME]) if node is not None]
            if here:
                self._ids.update(store.traverse(here, "upstream").nodes)

    def changes(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield what is left of changes; those of which nothing is left are passed over."""
        for change in changes:
            kept = [entry for entry in change.entries[1:] if self._belongs(entry)]
            if kept:
                yield change._replace(entries=(change.entries[0], *kept))

    def _belongs(self, entry: Entry) -> bool:
        value = _value(entry)
        if isinstance(value, Node):
            return value.id in self._ids
        if isinstance(value, Edge):
            return value.source in self._ids and value.target in self._ids
        if isinstance(value, Points):
            return value.run in self._ids
        return entry.left is not None and entry.left.id in self._ids


def _value(entry: Entry) -> Node | Edge | Points | None:
    if entry.text is None or entry.salt == chain.OPEN_SALT:
        return None
    return chain.read_text(entry.text)
